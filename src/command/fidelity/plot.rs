//! Quality against bytes, as an SVG that is legible on light and on dark ground.

use std::collections::BTreeMap;
use std::fmt::Write;

use kvscope::cache::{CacheType, CacheTypes, DecodeStrategy, PrefillMethod};
use kvscope::policy::presets::Pair;

use super::points::Point;
use super::summary::{ALL, Row};
use crate::command::arguments::{apart, types, word};

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

/// Dashes of the storage types' lines, in the order of the policies.
const DASHES: [&str; 4] = ["none", "7 4", "2 3", "9 3 2 3"];

/// Elements of the row whose bytes are the size of a mark.
const SIZED_DIM: usize = 64;

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

/// Draws a panel per file of examples, one below the other. KL is on a logarithmic scale.
/// Bytes held are a share of those of a full cache in f16. A policy without divergence has
/// no place on that scale and is left out.
///
/// Of several storage types, each has a line through its policies that no other of its type beats.
/// `points` are others' measurements, drawn with their names.
pub fn svg(summary: &BTreeMap<String, Vec<Row>>, points: &[Point], log_bytes: bool) -> String {
    let panels: Vec<_> = summary.iter().filter(|(name, _)| *name != ALL).collect();
    let height = HEIGHT * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Divergence from the full cache against bytes held, of a full cache in f16, by policy\">\n<style>text {{ font: 12px \
         system-ui, sans-serif; fill: #57606a }} .name {{ font-weight: 600 }} .grid {{ stroke: #8c959f; stroke-opacity: 0.35 }} \
         @media (prefers-color-scheme: dark) {{ text {{ fill: #adbac7 }} }}</style>\n"
    );
    for (number, (name, rows)) in panels.into_iter().enumerate() {
        let _ = writeln!(
            svg,
            "<g transform=\"translate(0 {})\">",
            HEIGHT * number as f64
        );
        panel(&mut svg, name, rows, points, log_bytes);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, name: &str, rows: &[Row], points: &[Point], log_bytes: bool) {
    let points: Vec<&Point> = points.iter().filter(|point| point.kl > 0.0).collect();
    let rows: Vec<&Row> = rows.iter().filter(|row| row.kl.mean > 0.0).collect();
    let ends = |row: &&Row| match row.kl.interval {
        Some(interval) => [interval.low, interval.high, row.kl.mean],
        None => [row.kl.mean; 3],
    };
    let all = rows.iter().flat_map(ends);
    let all = all.chain(points.iter().map(|point| point.kl));
    let all: Vec<f64> = all.filter(|kl| *kl > 0.0).collect();
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
    let shares: Vec<f64> = shares
        .chain(points.iter().map(|point| point.share))
        .collect();
    let scale = Bytes::of(&shares, log_bytes);
    let x = |share: f64| scale.x(share);
    let y = |kl: f64| {
        let share = (high - decade(kl.max(1e-9)).max(low)) / (high - low);
        TOP + share * (HEIGHT - TOP - BOTTOM)
    };

    let _ = writeln!(
        svg,
        "<text class=\"name\" x=\"{LEFT}\" y=\"18\">{}</text>",
        escaped(name)
    );
    axes(svg, low as i32..=high as i32, &scale, &y);
    lines(svg, &rows, &x, &y);
    for row in rows {
        let (pair, pale) = kind(&row.policy);
        let size = size(types_of(&row.policy));
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
        mark(svg, shape, (x, at, size), colour, pale);
        svg.push_str("</g>\n");
    }
    for Point { name, share, kl } in points {
        let (x, y) = (x(*share), y(*kl));
        let name = escaped(name);
        let _ = writeln!(svg, "<g><title>{name}: KL {kl:.4}</title>");
        mark(svg, Shape::Cross, (x, y, 1.0), QUIET, true);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{name}</text></g>",
            x + 8.0,
            y + 4.0
        );
    }
    legend(svg);
}

/// The scale of bytes, as shares of the full cache's.
struct Bytes {
    /// Ends of the axis; 0 first unless it is logarithmic.
    ends: [f64; 2],
    ticks: Vec<f64>,
    log: bool,
}

impl Bytes {
    fn of(shares: &[f64], log: bool) -> Self {
        // Adaptive strategies may slightly exceed the full cache's blocks: the axis has room.
        let most = shares.iter().copied().fold(1.0, f64::max);
        if !log {
            return Self {
                ends: [0.0, most],
                ticks: vec![0.0, 0.25, 0.5, 0.75, 1.0],
                log,
            };
        }
        // Halves of the whole, as far down as the least share.
        let least = shares
            .iter()
            .copied()
            .filter(|share| *share > 0.0)
            .fold(0.5, f64::min);
        let mut ticks = vec![1.0];
        let mut tick = 1.0;
        while tick > least.max(1e-3) {
            tick *= 0.5;
            ticks.push(tick);
        }
        Self {
            ends: [tick, most],
            ticks,
            log,
        }
    }

    fn x(&self, share: f64) -> f64 {
        let [low, high] = self.ends;
        let part = match self.log {
            true => (share.max(low) / low).ln() / (high / low).ln(),
            false => share / high,
        };
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }
}

/// A line for each storage type, if there are several. It goes through the policies that no other
/// of the type beats in bytes and in KL.
fn lines(svg: &mut String, rows: &[&Row], x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
    let mut all: Vec<CacheTypes> = Vec::new();
    for row in rows {
        let types = types_of(&row.policy);
        if !all.contains(&types) {
            all.push(types);
        }
    }
    if all.len() < 2 {
        return;
    }
    for (number, types) in all.into_iter().enumerate() {
        let own = rows.iter().filter(|row| types_of(&row.policy) == types);
        let best = unbeaten(own.map(|row| (row.share(), row.kl.mean)).collect());
        let path = best
            .iter()
            .map(|(share, kl)| format!("{:.1} {:.1}", x(*share), y(*kl)));
        let path = path.collect::<Vec<_>>().join("L");
        let dash = DASHES[number % DASHES.len()];
        let Some((share, kl)) = best.first() else {
            continue;
        };
        let _ = writeln!(
            svg,
            "<path d=\"M{path}\" fill=\"none\" stroke=\"{QUIET}\" stroke-dasharray=\"{dash}\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x(*share) - 8.0,
            y(*kl) - 4.0,
            word(types)
        );
    }
}

/// Points that no other one beats in both, the fewest bytes first.
fn unbeaten(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut least = f64::INFINITY;
    points.retain(|(_, kl)| {
        let better = *kl < least;
        least = least.min(*kl);
        better
    });
    points
}

/// The types in a policy's name: its last word, or its options; f16 if it says none.
fn types_of(policy: &str) -> CacheTypes {
    let last = policy.split(' ').next_back().unwrap_or_default();
    if let Ok(types) = types(last) {
        return types;
    }
    let option = |name: &str| {
        let mut words = policy.split(' ');
        let found = words.find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        found
            .and_then(|word| types(word).ok())
            .map(|types| types.keys)
    };
    let both = option("cache-type").unwrap_or_default();
    apart(both.into(), option("cache-type-k"), option("cache-type-v"))
}

/// The size of a mark: smaller for fewer bits.
fn size(types: CacheTypes) -> f64 {
    let bytes = types.row_bytes(SIZED_DIM) as f64;
    let full = CacheTypes::from(CacheType::F16).row_bytes(SIZED_DIM) as f64;
    (bytes / full).min(1.0).cbrt()
}

fn axes(
    svg: &mut String,
    decades: std::ops::RangeInclusive<i32>,
    bytes: &Bytes,
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
    for tick in &bytes.ticks {
        let (at, percent) = (bytes.x(*tick), 100.0 * tick);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{percent} \
             %</text>",
            bottom + 18.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">most bytes held, of a full cache in f16</text>\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">KL, nats per token</text>",
        f64::midpoint(LEFT, right),
        bottom + 36.0,
        f64::midpoint(TOP, bottom)
    );
}

fn legend(svg: &mut String) {
    let x = WIDTH - RIGHT + 24.0;
    let mut y = TOP + 8.0;
    let mut line = |svg: &mut String, shape, colour: &str, text: &str| {
        mark(svg, shape, (x, y, 1.0), colour, false);
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

/// Draws a mark at a place, in a size of which 1 is the whole.
fn mark(svg: &mut String, shape: Shape, (x, y, size): (f64, f64, f64), colour: &str, hollow: bool) {
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
        "<path transform=\"translate({x:.1} {y:.1}) scale({size:.2})\" d=\"{path}\" fill=\"{colour}\" fill-opacity=\"{opacity}\" \
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
    fn names_say_the_types() {
        let read = |name: &str| word(types_of(name));
        assert_eq!(read("slide 25% recent 50%"), "f16");
        assert_eq!(read("slide 25% h4"), "h4");
        assert_eq!(read("decode-budget=3 recent=1 h8/h4"), "h8/h4");
        assert_eq!(
            read("decode-budget=3 cache-type=h8 cache-type-v=h4"),
            "h8/h4"
        );
    }

    #[test]
    fn a_line_goes_through_what_no_other_beats() {
        let points = vec![(0.5, 0.1), (0.2, 0.3), (0.6, 0.2), (0.2, 0.4), (1.0, 0.05)];
        assert_eq!(unbeaten(points), [(0.2, 0.3), (0.5, 0.1), (1.0, 0.05)]);
    }

    #[test]
    fn each_half_of_the_bytes_is_as_wide_on_a_logarithmic_scale() {
        let bytes = Bytes::of(&[0.1, 0.9], true);
        assert_eq!(bytes.ticks, [1.0, 0.5, 0.25, 0.125, 0.0625]);
        let right = WIDTH - RIGHT;
        for (number, tick) in bytes.ticks.iter().enumerate() {
            let expected = right - number as f64 / 4.0 * (right - LEFT);
            assert!((bytes.x(*tick) - expected).abs() < 1e-9, "{tick}");
        }
        let linear = Bytes::of(&[0.1, 2.0], false);
        assert!((linear.x(1.0) - f64::midpoint(LEFT, right)).abs() < 1e-9);
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
