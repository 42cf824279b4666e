//! Quality against bytes, as an SVG that is legible on light and on dark ground.

use std::collections::BTreeMap;
use std::fmt::Write;

use kvscope::cache::{DecodeStrategy, PrefillMethod};
use kvscope::policy::presets::Pair;

use super::summary::{ALL, Row};

const WIDTH: f64 = 760.0;
/// Of one panel, and the margins around its axes.
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 46.0;

/// Colours of the decode strategies that evict, in the library's order. They stand out on either
/// ground; more strategies begin again with the first.
const COLOURS: [&str; 12] = [
    "#2f81f7", "#d9730d", "#2da44e", "#cf3f6b", "#a08a2c", "#9a6ee0", "#d65fb8", "#0e8a8a",
    "#b5533c", "#5b8def", "#7f9a17", "#a3476f",
];

/// Colour of all others.
const QUIET: &str = "#7d8590";

/// Shapes of the prefill methods' marks, in the library's order.
const SHAPES: [Shape; 6] = [
    Shape::Circle,
    Shape::Wedge,
    Shape::Square,
    Shape::Triangle,
    Shape::Diamond,
    Shape::Hexagon,
];

#[derive(Clone, Copy)]
enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    /// A triangle that points down.
    Wedge,
    Hexagon,
    /// Of policies whose names say no method.
    Cross,
}

/// Draws a panel per file of examples, one below the other. Each has KL on a logarithmic scale
/// against bytes held, as a share of the full cache's. A policy without divergence has no place on
/// that scale and is left out.
pub fn svg(summary: &BTreeMap<String, Vec<Row>>) -> String {
    let panels: Vec<_> = summary.iter().filter(|(name, _)| *name != ALL).collect();
    let height = HEIGHT * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Divergence from the full cache against bytes held, by policy\">\n<style>text {{ font: 12px \
         system-ui, sans-serif; fill: #57606a }} .name {{ font-weight: 600 }} .grid {{ stroke: #8c959f; stroke-opacity: 0.35 }} \
         @media (prefers-color-scheme: dark) {{ text {{ fill: #adbac7 }} }}</style>\n"
    );
    for (number, (name, rows)) in panels.into_iter().enumerate() {
        let _ = writeln!(
            svg,
            "<g transform=\"translate(0 {})\">",
            HEIGHT * number as f64
        );
        panel(&mut svg, name, rows);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, name: &str, rows: &[Row]) {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.kl.mean > 0.0).collect();
    let ends = |row: &&Row| match row.kl.interval {
        Some(interval) => [interval.low, interval.high, row.kl.mean],
        None => [row.kl.mean; 3],
    };
    let all: Vec<f64> = rows.iter().flat_map(ends).filter(|kl| *kl > 0.0).collect();
    let decade = |kl: f64| kl.log10().clamp(-9.0, 9.0);
    let low = all
        .iter()
        .copied()
        .map(decade)
        .fold(f64::INFINITY, f64::min);
    let high = all
        .iter()
        .copied()
        .map(decade)
        .fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high {
        (low.floor(), high.ceil().max(low.floor() + 1.0))
    } else {
        (-1.0, 0.0)
    };
    let shares = rows.iter().map(|row| row.share());
    // Adaptive strategies may slightly exceed the full cache's blocks; the axis extends to them.
    let widest = shares.fold(1.0, f64::max);
    let x = |share: f64| LEFT + share / widest * (WIDTH - LEFT - RIGHT);
    let y = |kl: f64| {
        let share = (high - decade(kl.max(1e-9)).max(low)) / (high - low);
        TOP + share * (HEIGHT - TOP - BOTTOM)
    };

    let _ = writeln!(
        svg,
        "<text class=\"name\" x=\"{LEFT}\" y=\"18\">{}</text>",
        escaped(name)
    );
    axes(svg, low as i32..=high as i32, &x, &y);
    for row in rows {
        let (pair, pale) = kind(&row.policy);
        let colour = pair.map_or(QUIET, |pair| colour(pair.decode));
        let shape = pair.map_or(Shape::Cross, |pair| shape(pair.prefill));
        let (x, at) = (x(row.share()), y(row.kl.mean));
        let _ = writeln!(
            svg,
            "<g><title>{}: KL {:.4}</title>",
            escaped(&row.policy),
            row.kl
        );
        if let Some(interval) = row.kl.interval {
            let (low, high) = (y(interval.low), y(interval.high));
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke=\"{colour}\" stroke-opacity=\"0.5\"/>"
            );
        }
        mark(svg, shape, (x, at), colour, pale);
        svg.push_str("</g>\n");
    }
    legend(svg);
}

fn axes(
    svg: &mut String,
    decades: std::ops::RangeInclusive<i32>,
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for decade in decades {
        let kl = 10f64.powi(decade);
        let at = y(kl);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{kl}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for percent in [0, 25, 50, 75, 100] {
        let at = x(f64::from(percent) / 100.0);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{percent} \
             %</text>",
            bottom + 18.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">most bytes held, of the full cache's</text>\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">KL, nats a token</text>",
        f64::midpoint(LEFT, right),
        bottom + 36.0,
        f64::midpoint(TOP, bottom)
    );
}

fn legend(svg: &mut String) {
    let x = WIDTH - RIGHT + 24.0;
    let mut y = TOP + 8.0;
    let mut line = |svg: &mut String, shape, colour: &str, text: &str| {
        mark(svg, shape, (x, y), colour, false);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\">{text}</text>",
            x + 12.0,
            y + 4.0
        );
        y += 19.0;
    };
    for strategy in DecodeStrategy::ALL {
        if *strategy != DecodeStrategy::Full {
            line(svg, Shape::Circle, colour(*strategy), strategy.name());
        }
    }
    for method in PrefillMethod::ALL {
        line(svg, shape(*method), QUIET, &format!("{method} prefill"));
    }
    line(svg, Shape::Cross, QUIET, "other prefill");
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\">hollow: budget below 25 %</text>",
        x - 6.0,
        y + 6.0
    );
}

/// The pair in a policy's name, if it has one, and whether its mark is hollow.
fn kind(policy: &str) -> (Option<Pair>, bool) {
    let mut words = policy.split(' ');
    let pair = words.next().and_then(|name| name.parse().ok());
    let ratio = words.next().and_then(|ratio| ratio.strip_suffix('%'));
    let ratio = ratio.and_then(|it| it.parse::<f64>().ok());
    let small = ratio.is_some_and(|ratio| ratio < 25.0);
    (pair, pair.is_some() && small)
}

fn colour(strategy: DecodeStrategy) -> &'static str {
    // The first strategy evicts nothing.
    let place = DecodeStrategy::ALL.iter().position(|it| *it == strategy);
    match place.and_then(|place| place.checked_sub(1)) {
        Some(place) => COLOURS[place % COLOURS.len()],
        None => QUIET,
    }
}

fn shape(method: PrefillMethod) -> Shape {
    let place = PrefillMethod::ALL.iter().position(|it| *it == method);
    place.map_or(Shape::Cross, |place| SHAPES[place % SHAPES.len()])
}

fn mark(svg: &mut String, shape: Shape, (x, y): (f64, f64), colour: &str, hollow: bool) {
    let path = match shape {
        Shape::Circle => "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z",
        Shape::Square => "M-4.5 -4.5h9v9h-9Z",
        Shape::Triangle => "M0 -5.5L5.5 4.5H-5.5Z",
        Shape::Diamond => "M0 -6L6 0L0 6L-6 0Z",
        Shape::Wedge => "M0 5.5L5.5 -4.5H-5.5Z",
        Shape::Hexagon => "M-5.5 0L-2.75 -4.8H2.75L5.5 0L2.75 4.8H-2.75Z",
        Shape::Cross => "M-5 -2h3v-3h4v3h3v4h-3v3h-4v-3h-3Z",
    };
    let opacity = if hollow { 0.0 } else { 0.8 };
    let _ = writeln!(
        svg,
        "<path transform=\"translate({x:.1} {y:.1})\" d=\"{path}\" fill=\"{colour}\" fill-opacity=\"{opacity}\" \
         stroke=\"{colour}\" stroke-width=\"1.5\"/>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_and_every_method_is_in_the_legend() {
        let mut svg = String::new();
        legend(&mut svg);
        for strategy in &DecodeStrategy::ALL[1..] {
            assert!(svg.contains(&format!(">{strategy}</text>")), "{strategy}");
        }
        for method in PrefillMethod::ALL {
            assert!(
                svg.contains(&format!(">{method} prefill</text>")),
                "{method}"
            );
        }
        for (nth, own) in COLOURS.iter().enumerate() {
            assert!(!COLOURS[..nth].contains(own) && *own != QUIET, "{own}");
        }
        assert_eq!(colour(DecodeStrategy::Full), QUIET);
        assert_ne!(colour(DecodeStrategy::Tova), colour(DecodeStrategy::Slide));
    }

    #[test]
    fn names_say_pair_and_budget() {
        let pair = |name: &str| -> Option<Pair> { Some(name.parse().unwrap()) };
        assert_eq!(kind("slide 12.5% recent 50%"), (pair("slide"), true));
        assert_eq!(kind("snapkv+slide 25%"), (pair("snapkv+slide"), false));
        assert_eq!(kind("full"), (pair("full"), false));
        assert_eq!(kind("decode-budget=3 recent=1"), (None, false));
    }
}
