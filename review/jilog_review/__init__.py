"""The review: reads agent transcripts and judges what keeps going wrong."""
