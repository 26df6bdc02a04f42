# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of weekpage.py, as a Jinja2 template. It is Python because a module takes nothing else along to where it runs."""

from __future__ import annotations

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ stack }}: {{ title }}</title>
<style>
:root {
  --paper: #fcfcfa; --ink: #1d2126; --soft: #60676f; --line: #e3e4e0; --bad: #a8261c;
  --box: #eef0ec; --always: #dde1df; --time: 31 106 138; --load: 190 118 24;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16191c; --ink: #e6e7e4; --soft: #a0a8ae; --line: #2c3135; --bad: #ef8a80;
    --box: #20252a; --always: #2f363b; --time: 52 128 160; --load: 214 145 55;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 600; letter-spacing: -.01em; margin: 0; }
h2 { font-size: 1.2rem; font-weight: 600; margin: 3rem 0 .1rem; }
h3 { font-size: .95rem; font-weight: 600; margin: 1.4rem 0 .3rem; }
p { margin: 0; }
.soft, dt, th, figcaption span { color: var(--soft); font-weight: 400; }
dl { display: flex; flex-wrap: wrap; gap: .4rem 2.75rem; margin: 1.6rem 0 0; }
dl div { display: flex; flex-direction: column-reverse; }
dt { font-size: .875rem; }
dd { margin: 0; font-size: 1.5rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 8px; font-variant-numeric: tabular-nums; }
svg .n { text-anchor: middle; pointer-events: none; fill: var(--ink); font-size: 9px; }
svg .n.same { fill: var(--soft); }
svg .n.strong { fill: #fff; }
.whole { max-width: 46rem; margin: 1rem 0 0; }
.each { display: grid; grid-template-columns: repeat(auto-fill, minmax(17.5rem, 1fr)); gap: 1.5rem 2rem; margin: 1.75rem 0 0; }
figure { margin: 0; }
figcaption { font-size: .9rem; margin: 0 0 .35rem; }
.bar-time { fill: rgb(var(--time)); } .bar-load { fill: rgb(var(--load)); } .bar-failed { fill: var(--bad); }
.grid { fill: none; stroke: var(--paper); stroke-width: 1.5; pointer-events: none; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: 1.4rem 0 0; padding: 0; list-style: none; font-size: .875rem; color: var(--soft); }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .45em; border-radius: 2px; vertical-align: -.05em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: .3rem 1rem .3rem 0; border-top: 1px solid var(--line); vertical-align: top; }
th { font-size: .875rem; border: 0; }
.right { text-align: right; } .narrow { max-width: 28rem; margin-top: .6rem; } .narrow tr.sum td { border-top: 1px solid var(--ink); }
.moves td { white-space: nowrap; }
.moves td.names { white-space: normal; font-weight: 500; width: 34%; }
.moves td.why { white-space: normal; width: 60%; color: var(--soft); }
.sign { display: inline-block; width: 1em; font-weight: 600; }
.start .sign { color: rgb(var(--time)); } .failed .sign, .bad { color: var(--bad); }
ul.notes { margin: .6rem 0 0; padding: 0; list-style: none; max-width: 48rem; }
ul.notes li { padding: .35rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; }
  .moves tr { display: grid; grid-template-columns: auto 1fr; column-gap: 1rem; border-top: 1px solid var(--line); padding: .4rem 0; }
  .moves td { border: 0; padding: 0; }
  .moves td.names, .moves td.why { width: auto; grid-column: 1 / -1; }
}
</style>
</head>
<body>
<main>
<h1>{{ stack }}</h1>
<p>{{ title }}</p>
<p class="soft">{{ kind }}; days and hours of {{ week.zone }}</p>
<dl>
{%- for number, word in figures %}
<div><dt>{{ word }}</dt><dd>{{ number }}</dd></div>
{%- endfor %}
</dl>
<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>
<pattern id="boxes" width="{{ box }}" height="{{ box }}" patternUnits="userSpaceOnUse">
<rect width="{{ box }}" height="{{ box }}" style="fill:var(--box)"/></pattern>
<pattern id="load-boxes" width="{{ box }}" height="{{ box }}" patternUnits="userSpaceOnUse">
<rect width="{{ box }}" height="{{ box }}" style="fill:rgb(var(--load) / .16)"/></pattern>
<pattern id="lines" width="{{ box }}" height="{{ box }}" patternUnits="userSpaceOnUse"><path class="grid" d="M0 0H{{ box }}M0 0V{{ box }}"/></pattern>
</defs></svg>
{%- for layer in layers %}
<h2>{{ layer.name }}</h2>
<p class="soft">{{ layer.says }}</p>
<div class="whole"><svg viewBox="0 0 {{ layer.width }} {{ layer.height }}" role="img" aria-label="Instances of {{ layer.name }} by hour">
{%- for hour in layer.hours %}<text x="{{ hour.x }}" y="8">{{ hour.text }}</text>{% endfor %}
{%- for row in layer.rows %}
<text x="0" y="{{ row.base }}">{{ row.label }}</text>
{%- for cell in row.cells %}<g><title>{{ cell.title }}</title>
<rect x="{{ cell.x }}" y="{{ row.y }}" width="{{ layer.wide }}" height="{{ layer.high }}" style="fill:{{ cell.fill }}"/>
{%- for one in cell.strips %}<rect x="{{ one.x }}" y="{{ row.foot }}" width="{{ one.width }}" height="{{ layer.foot }}" style="fill:{{ one.fill }}"/>
{%- endfor -%}
<text class="n{{ cell.tone }}" x="{{ cell.middle }}" y="{{ row.base }}">{{ cell.number }}</text></g>
{%- endfor %}
{%- endfor %}
</svg></div>
{%- if layer.members %}
<div class="each">
{%- for one in layer.members %}
<figure><figcaption>{{ one.name }} <span>{{ one.says }}</span></figcaption>
<svg viewBox="0 0 {{ one.width }} {{ one.height }}" role="img" aria-label="{{ one.name }}: {{ one.says }}">
{%- for hour in one.hours %}<text x="{{ hour.x }}" y="7">{{ hour.text }}</text>{% endfor %}
{%- for row in one.rows %}<text x="0" y="{{ row.base }}">{{ row.label }}</text>{% endfor %}
<g transform="translate({{ one.left }} {{ one.top }})"><rect width="{{ 24 * box }}" height="{{ one.rows | length * box }}" fill="url(#{{ one.pattern }})"/>
{%- for bar in one.bars %}
<rect class="{{ bar.style }}" x="{{ bar.x }}" y="{{ bar.y }}" width="{{ bar.width }}" height="{{ box }}"><title>{{ bar.title }}</title></rect>
{%- endfor %}
<rect width="{{ 24 * box }}" height="{{ one.rows | length * box }}" fill="url(#lines)" style="pointer-events:none"/></g>
</svg></figure>
{%- endfor %}
</div>
{%- endif %}
{%- endfor %}
{%- if layers %}
<ul class="key"><li><i style="background:var(--always)"></i>always</li><li><i style="background:rgb(var(--time))"></i>by the clock</li>
<li><i style="background:rgb(var(--load))"></i>by load</li><li><i style="background:rgb(var(--load) / .16)"></i>may come by load</li></ul>
{%- endif %}
<h2>Starts and stops</h2>
{%- if not days %}
<p class="soft">Nothing starts and nothing stops.</p>
{%- endif %}
{%- for day, moves in days %}
<h3>{{ day }}</h3>
<table class="moves">
{%- for one in moves %}
<tr class="{{ one.style }}"><td>{{ one.local }}</td><td class="soft">{{ one.utc }}</td>
<td class="names"><span class="sign">{{ one.sign }}</span>{{ one.names }}</td><td class="why">{{ one.why }}</td></tr>
{%- endfor %}
</table>
{%- endfor %}
<h2>Instance-hours{{ " and price" if priced else "" }}</h2>
<table class="narrow">
{%- for one in sums %}
<tr{{ ' class="sum"' | safe if loop.last else "" }}><td>{{ one.name }}</td><td class="right">{{ one.hours }}</td>
{%- if priced %}<td class="right">{{ one.price }}</td>{% endif %}</tr>
{%- endfor %}
</table>
{%- if unpriced %}
<p class="soft">{{ unpriced }}</p>
{%- endif %}
{%- if notes %}
<h2>Notes</h2>
<ul class="notes">
{%- for note in notes %}
<li>{{ note }}</li>
{%- endfor %}
</ul>
{%- endif %}
</main>
</body>
</html>
"""
