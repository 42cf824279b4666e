//! Division of rows among lanes. Affects speed; affects results only by rounding.

pub(super) mod measure;
mod store;

pub use store::KnownTunings;

use crate::device::ShaderAbilities;
use crate::formats::BlockFormat;

/// Division of a kernel's work among its threads.
///
/// In a product, a lane multiplies [`rows_per_lane`](Self::rows_per_lane) rows with each element of
/// the input that it loads. Those rows are shared by [`lanes_per_row`](Self::lanes_per_row) lanes.
/// In attention, a thread weighs [`slots_per_thread`](Self::slots_per_thread) slots with each
/// element of the queries that it loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// Rows per lane, an even number that divides 32.
    pub rows_per_lane: usize,
    /// Lanes that share the same rows.
    pub lanes_per_row: usize,
    /// Of these lanes, neighbours that add their sums by subgroup operations: a power of two, at
    /// most the smallest subgroup. With 1, all sums go through the workgroup's memory.
    pub subgroup_lanes: usize,
    /// `true` to multiply matrices of small integers as integers, four at once. The input is then
    /// in fixed point of 16 bits, and each 32 elements share a scale. An element is off by at most
    /// a 64,000th of the largest of these.
    pub integers: bool,
    /// `true` to have four neighbours that need the same data load a quarter each. Quad operations
    /// hand it on. Applies to products whose lanes share no row, and to attention in which all
    /// threads are at one slot.
    pub quad_loads: bool,
    /// Threads per workgroup of attention.
    pub attention_threads: usize,
    /// Slots per thread of attention, 4 or 8.
    pub slots_per_thread: usize,
    /// Threads per workgroup of everything else.
    pub threads: usize,
}

/// The most threads per workgroup that every adapter supports.
const MAX_THREADS: usize = 256;

impl Default for Tuning {
    fn default() -> Self {
        Self::PARALLEL
    }
}

impl Tuning {
    /// Bump when the candidates of [`tried`](Self::tried) or their kernels change; stored tunings
    /// of other versions are ignored.
    pub const LIST: u32 = 3;

    /// For adapters on a CPU. A load costs as much as thirty multiplications there, and few lanes
    /// have to be kept busy. Every four threads of a workgroup clear all of its memory.
    pub const SERIAL: Self = Self {
        rows_per_lane: 8,
        lanes_per_row: 1,
        subgroup_lanes: 1,
        integers: false,
        quad_loads: false,
        attention_threads: 4,
        slots_per_thread: 8,
        threads: 16,
    };

    /// For small models on adapters on a CPU. Shaders compile in a third of the time, which for
    /// such models may be longer than a whole generation.
    pub const LIGHT: Self = Self {
        rows_per_lane: 2,
        slots_per_thread: 4,
        threads: 4,
        ..Self::SERIAL
    };

    /// For GPUs: many lanes, and neighbours that load neighbours.
    pub const PARALLEL: Self = Self {
        rows_per_lane: 4,
        lanes_per_row: 16,
        subgroup_lanes: 1,
        integers: false,
        quad_loads: false,
        attention_threads: 64,
        slots_per_thread: 4,
        threads: 64,
    };

    /// Like [`PARALLEL`](Self::PARALLEL) with eight rows per lane, so each load of the input is
    /// reused twice as often.
    pub const WIDE: Self = Self {
        rows_per_lane: 8,
        ..Self::PARALLEL
    };

    /// For GPUs with few lanes.
    pub const MODERATE: Self = Self {
        lanes_per_row: 4,
        attention_threads: 32,
        threads: 32,
        ..Self::PARALLEL
    };

    /// The tunings that every device supports.
    pub const PLAIN: [Self; 5] = [
        Self::PARALLEL,
        Self::WIDE,
        Self::MODERATE,
        Self::SERIAL,
        Self::LIGHT,
    ];

    /// The candidates to measure on a GPU with `abilities`, for a matrix of `format`.
    pub fn tried(abilities: ShaderAbilities, format: BlockFormat) -> Vec<Self> {
        let mut tried = vec![Self::PARALLEL, Self::WIDE, Self::MODERATE, Self::SERIAL];
        if abilities.integer_products && format.products().integers.is_some() {
            tried.push(Self::WIDE.in_integers());
        }
        if abilities.subgroup > 1 {
            let plain = tried.clone();
            let joined = plain.into_iter().map(|it| it.joining(abilities.subgroup));
            tried.extend(joined.filter(|it| it.subgroup_lanes > 1));
        }
        tried
    }

    /// The same tuning with products in integers.
    #[must_use]
    pub fn in_integers(self) -> Self {
        Self {
            integers: true,
            ..self
        }
    }

    /// The same tuning with quad loads, if a device with `abilities` has quads.
    #[must_use]
    pub fn in_quads(self, abilities: ShaderAbilities) -> Self {
        Self {
            quad_loads: abilities.has_quads(),
            ..self
        }
    }

    /// The same tuning with as many lanes joined as fit in a subgroup of `subgroup` threads.
    #[must_use]
    pub fn joining(self, subgroup: usize) -> Self {
        Self {
            subgroup_lanes: joined(self.lanes_per_row, subgroup),
            ..self
        }
    }

    /// Name by which it is stored and shown; it does not tell the size of a subgroup.
    pub fn name(self) -> String {
        const NAMES: [&str; Tuning::PLAIN.len()] =
            ["parallel", "wide", "moderate", "serial", "light"];
        let plain = Self {
            subgroup_lanes: 1,
            integers: false,
            quad_loads: false,
            ..self
        };
        let mut named = Self::PLAIN.into_iter().zip(NAMES);
        let found = named.find(|(tuning, _)| *tuning == plain);
        let mut name = found.map_or("other", |(_, name)| name).to_owned();
        if self.integers {
            name += " integers";
        }
        if self.subgroup_lanes > 1 {
            name += " subgroups";
        }
        if self.quad_loads {
            name += " quads";
        }
        name
    }

    /// The same tuning as far as it suits workgroups of `tile` rows. Lanes are at most those of a
    /// workgroup; quad loads need whole quads.
    #[must_use]
    pub fn within(self, tile: usize) -> Self {
        let most = (MAX_THREADS * self.rows_per_lane / tile).max(1);
        let lanes = self.lanes_per_row.min(most);
        let whole_quads = lanes == 1 && tile.is_multiple_of(4 * self.rows_per_lane);
        Self {
            lanes_per_row: lanes,
            subgroup_lanes: joined(lanes, self.subgroup_lanes),
            quad_loads: self.quad_loads && whole_quads,
            ..self
        }
    }

    /// `true` if attention over heads of `octs` vectors of eight elements uses quad loads. All of a
    /// workgroup's threads must then be at one slot.
    pub fn attends_in_quads(self, octs: usize) -> bool {
        let one_slot = self.attention_threads * self.share(octs) == octs;
        self.quad_loads && one_slot && self.attention_threads.is_multiple_of(4)
    }

    /// Threads of the one workgroup that draws a token.
    pub fn draw_threads(self) -> usize {
        (4 * self.threads).min(MAX_THREADS)
    }

    /// Vectors per attending thread: the fewest with which a workgroup covers a head's `octs`
    /// vectors of eight elements.
    pub fn share(self, octs: usize) -> usize {
        let covers =
            |share: &usize| octs.is_multiple_of(*share) && self.attention_threads * share >= octs;
        (1..=octs).find(covers).unwrap_or(octs)
    }
}

/// The largest power of two that divides `lanes` and is at most `most`.
fn joined(lanes: usize, most: usize) -> usize {
    let mut joined = 1;
    while lanes.is_multiple_of(2 * joined) && 2 * joined <= most {
        joined *= 2;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ShaderAbilities = ShaderAbilities {
        subgroup: 8,
        integer_products: true,
    };

    #[test]
    fn nothing_is_tried_that_the_device_cannot_do() {
        let plain = Tuning::tried(ShaderAbilities::default(), BlockFormat::Q4_1);
        assert!(
            plain
                .iter()
                .all(|it| it.subgroup_lanes == 1 && !it.integers)
        );
        let floats = Tuning::tried(ALL, BlockFormat::F16);
        assert!(floats.iter().all(|it| !it.integers));
        let all = Tuning::tried(ALL, BlockFormat::Q4_1);
        assert!(all.iter().any(|it| it.subgroup_lanes == 8 && it.integers));
        assert!(all.iter().all(|it| it.subgroup_lanes <= 8));
    }

    #[test]
    fn those_that_are_tried_have_names_of_their_own() {
        let mut names: Vec<String> = Tuning::tried(ALL, BlockFormat::Q8_0)
            .into_iter()
            .map(Tuning::name)
            .collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(!names.iter().any(|name| name.contains("other")));
    }

    /// Eight rows per lane: four lanes for 32 rows, two for 16. Heads of 64 elements have a whole
    /// number of vectors for each of four threads, those of 40 have not.
    #[test]
    fn quads_are_whole() {
        let quads = Tuning::SERIAL.in_quads(ALL);
        assert!(quads.within(32).quad_loads);
        assert!(!quads.within(16).quad_loads);
        assert!(!Tuning::PARALLEL.in_quads(ALL).within(32).quad_loads);
        assert!(quads.attends_in_quads(8));
        assert!(!quads.attends_in_quads(5));
        let none = Tuning::SERIAL.in_quads(ShaderAbilities::default());
        assert_eq!(none, Tuning::SERIAL);
    }

    /// 256 threads for 96 rows, 4 a lane: 10 lanes, of which 2 stay in step with a subgroup.
    #[test]
    fn joined_lanes_divide_those_that_there_are() {
        let within = Tuning::PARALLEL.joining(32).within(96);
        assert_eq!([within.lanes_per_row, within.subgroup_lanes], [10, 2]);
        let whole = Tuning::PARALLEL.joining(32).within(32);
        assert_eq!([whole.lanes_per_row, whole.subgroup_lanes], [16, 16]);
        assert_eq!(Tuning::SERIAL.joining(32), Tuning::SERIAL);
    }
}
