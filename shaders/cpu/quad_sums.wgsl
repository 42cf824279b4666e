// {{ sums }} sums per lane, s0 and so on, over {{ elements }} elements. x0, x4 and so on are each
// of a lane of four, and swaps bring the others. Their factors are in `held`, element by element.
{%- for sum in range(sums) %}
var s{{ sum }} = 0.0;
{%- endfor %}
{%- for x in range(0, elements, 4) %}
let x{{ x + 1 }} = quadSwapX(x{{ x }});
let x{{ x + 2 }} = quadSwapY(x{{ x }});
let x{{ x + 3 }} = quadSwapDiagonal(x{{ x }});
{%- for sum in range(sums) %}
s{{ sum }} +=
    ((held[{{ x * sums + sum }}] * x{{ x }} + held[{{ (x + 1) * sums + sum }}] * x{{ x + 1 }})
    + held[{{ (x + 2) * sums + sum }}] * x{{ x + 2 }})
    + held[{{ (x + 3) * sums + sum }}] * x{{ x + 3 }};
{%- endfor %}
{%- endfor %}
