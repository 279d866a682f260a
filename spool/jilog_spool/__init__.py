"""The spool: moves segments between hosts and heals them."""
