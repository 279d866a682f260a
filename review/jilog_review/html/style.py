"""The report's style sheet: light and dark by the reader's own setting, one column on a phone."""

from __future__ import annotations

# The kinds' colours are Okabe and Ito's, which people tell apart whatever colours they see; each pair below
# keeps 3:1 against its background, and text keeps 4.5:1 (WCAG 2.2, 1.4.3 and 1.4.11).
STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --card: #f6f7f9; --edge: #d5d9e0; --text: #16191f; --quiet: #55606e; --grid: #d5d9e0;
  --link: #0b5cad;
  --correction: #0072b2; --error: #c84e00; --workaround: #a87000; --deferral: #00805e; --pattern: #a8487f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151a; --card: #1b2027; --edge: #353d49; --text: #e9ecf1; --quiet: #a5afbd; --grid: #353d49;
    --link: #7fb8f0;
    --correction: #56b4e9; --error: #f08040; --workaround: #e6b020; --deferral: #30b890; --pattern: #dd8fbb;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main, header, footer { max-width: 75rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 0 0 .25rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; overflow-wrap: anywhere; }
p { margin: .25rem 0 .75rem; }
.quiet, footer { color: var(--quiet); font-size: .9rem; }
footer { padding-bottom: 2rem; }
a { color: var(--link); }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--page); padding: .25rem .5rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: .5rem;
  margin: 1rem 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--edge); border-radius: .5rem;
  padding: .5rem .75rem; }
.tiles b { display: block; font-size: 1.4rem; line-height: 1.2; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 29rem), 1fr)); gap: 1rem;
  align-items: start; }
section { background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; padding: 1rem;
  min-width: 0; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 10.5px system-ui, sans-serif; fill: var(--text); }
.grid { stroke: var(--grid); stroke-width: 1; }
.closed { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 4 3; }
.kind-correction { fill: var(--correction); } .kind-error { fill: var(--error); }
.kind-workaround { fill: var(--workaround); } .kind-deferral { fill: var(--deferral); }
.kind-pattern { fill: var(--pattern); }
.p0 { fill: var(--error); stroke: var(--error); stroke-width: 1.5; } .p0.hollow { fill: var(--card); }
.before { fill: var(--correction); } .after { fill: var(--error); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .25rem 0; padding: 0; list-style: none;
  font-size: .9rem; }
.legend svg { display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; }
details { margin-top: .5rem; } summary { cursor: pointer; color: var(--link); padding: .25rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; width: 100%; }
caption { text-align: left; color: var(--quiet); padding: .25rem 0; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--edge);
  vertical-align: top; unicode-bidi: isolate; }
tbody th { font-weight: 500; } td { overflow-wrap: break-word; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media (max-width: 30rem) { section { padding: .75rem .6rem; } svg text { font-size: 13px; } }
@media print { details { display: block; } section { break-inside: avoid; } }
"""
