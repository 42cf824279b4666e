//! How a kernel's rows are shared among its lanes: what is fast depends on the adapter, what comes out only on rounding.

pub(super) mod measure;
mod store;

pub use store::KnownTunings;

use crate::device::ShaderAbilities;
use crate::formats::BlockFormat;

/// In a product, a lane multiplies `rows` rows with what it reads of the input, and `lanes` of them share those rows. In
/// attention, a thread weighs `slots` slots with what it reads of the queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// Rows a lane, an even number that divides 32.
    pub rows: usize,
    /// Lanes that share them.
    pub lanes: usize,
    /// Of these lanes, neighbours that add what they have by subgroup operations: a power of two, no more than the smallest
    /// subgroup; 1 where all goes through the workgroup's memory.
    pub joined: usize,
    /// Whether matrices of small integers are multiplied as integers, four at once, with an input in fixed point of 16
    /// bits: each of its elements is off by at most a 64,000th of the largest of the 32 that share a scale.
    pub integers: bool,
    /// Whether four neighbours that read the same read a quarter each and hand it on by quad operations. Products do where
    /// no lanes share a row, attention where all of its threads are at one slot.
    pub in_quads: bool,
    /// Threads of a workgroup of attention.
    pub attending: usize,
    /// Slots of one of those threads, 4 or 8.
    pub slots: usize,
    /// Threads of a workgroup of everything else.
    pub threads: usize,
}

/// Threads that every adapter lets a workgroup have.
const MOST_THREADS: usize = 256;

impl Default for Tuning {
    fn default() -> Self {
        Self::PARALLEL
    }
}

impl Tuning {
    /// The version of the list of [`tried`](Self::tried) and of the kernels behind it: what was found with another does not
    /// count.
    pub const LIST: u32 = 2;

    /// For adapters that run on a CPU: a load costs as much as thirty multiplications, there are few lanes to keep busy, and
    /// each four threads of a workgroup clear all of its memory.
    pub const SERIAL: Self = Self {
        rows: 8,
        lanes: 1,
        joined: 1,
        integers: false,
        in_quads: false,
        attending: 4,
        slots: 8,
        threads: 16,
    };

    /// For small models on adapters that run on a CPU: shaders that are compiled in a third of the time, where a whole text may
    /// take no longer than that.
    pub const LIGHT: Self = Self {
        rows: 2,
        slots: 4,
        threads: 4,
        ..Self::SERIAL
    };

    /// For GPUs, which want many lanes, and neighbours to read neighbours.
    pub const PARALLEL: Self = Self {
        rows: 4,
        lanes: 16,
        joined: 1,
        integers: false,
        in_quads: false,
        attending: 64,
        slots: 4,
        threads: 64,
    };

    /// As [`PARALLEL`](Self::PARALLEL), with more to do for what is read, and made, of the input.
    pub const WIDE: Self = Self {
        rows: 8,
        ..Self::PARALLEL
    };

    /// Between the two: for GPUs with few lanes.
    pub const MODERATE: Self = Self {
        lanes: 4,
        attending: 32,
        threads: 32,
        ..Self::PARALLEL
    };

    /// Those that every device can do.
    pub const PLAIN: [Self; 5] = [
        Self::PARALLEL,
        Self::WIDE,
        Self::MODERATE,
        Self::SERIAL,
        Self::LIGHT,
    ];

    /// What is to be tried on a GPU with these abilities, for a matrix of `format`.
    pub fn tried(abilities: ShaderAbilities, format: BlockFormat) -> Vec<Self> {
        let mut tried = vec![Self::PARALLEL, Self::WIDE, Self::MODERATE, Self::SERIAL];
        if abilities.integer_products && format.products().integers.is_some() {
            tried.push(Self::WIDE.in_integers());
        }
        if abilities.subgroup > 1 {
            let plain = tried.clone();
            let joined = plain.into_iter().map(|it| it.joining(abilities.subgroup));
            tried.extend(joined.filter(|it| it.joined > 1));
        }
        tried
    }

    /// The same in integers.
    #[must_use]
    pub fn in_integers(self) -> Self {
        Self {
            integers: true,
            ..self
        }
    }

    /// The same in quads, if a device with `abilities` has them.
    #[must_use]
    pub fn in_quads(self, abilities: ShaderAbilities) -> Self {
        Self {
            in_quads: abilities.has_quads(),
            ..self
        }
    }

    /// The same with as many lanes joined as have room in a subgroup of `subgroup` threads.
    #[must_use]
    pub fn joining(self, subgroup: usize) -> Self {
        Self {
            joined: joined(self.lanes, subgroup),
            ..self
        }
    }

    /// What it is called, without the size of a subgroup.
    pub fn name(self) -> String {
        const NAMES: [&str; Tuning::PLAIN.len()] =
            ["parallel", "wide", "moderate", "serial", "light"];
        let plain = Self {
            joined: 1,
            integers: false,
            in_quads: false,
            ..self
        };
        let mut named = Self::PLAIN.into_iter().zip(NAMES);
        let found = named.find(|(tuning, _)| *tuning == plain);
        let mut name = found.map_or("other", |(_, name)| name).to_owned();
        if self.integers {
            name += " integers";
        }
        if self.joined > 1 {
            name += " subgroups";
        }
        if self.in_quads {
            name += " quads";
        }
        name
    }

    /// The same with as many lanes as a workgroup may have for `tile` rows, and in quads only if it has whole ones.
    #[must_use]
    pub fn within(self, tile: usize) -> Self {
        let most = (MOST_THREADS * self.rows / tile).max(1);
        let lanes = self.lanes.min(most);
        Self {
            lanes,
            joined: joined(lanes, self.joined),
            in_quads: self.in_quads && lanes == 1 && tile.is_multiple_of(4 * self.rows),
            ..self
        }
    }

    /// Whether attention with heads of `octs` vectors of eight elements is in quads: its threads have a slot's vectors among
    /// them, so that all are at one slot.
    pub fn attends_in_quads(self, octs: usize) -> bool {
        let one_slot = self.attending * self.share(octs) == octs;
        self.in_quads && one_slot && self.attending.is_multiple_of(4)
    }

    /// Threads of the one workgroup that draws a token.
    pub fn drawing(self) -> usize {
        (4 * self.threads).min(MOST_THREADS)
    }

    /// Of `octs` vectors of eight elements, how many an attending thread has: the fewest by which its workgroup has all.
    pub fn share(self, octs: usize) -> usize {
        (1..=octs)
            .find(|share| octs.is_multiple_of(*share) && self.attending * share >= octs)
            .unwrap_or(octs)
    }
}

/// The largest power of two that divides `lanes` and is no more than `most`.
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
        assert!(plain.iter().all(|it| it.joined == 1 && !it.integers));
        let floats = Tuning::tried(ALL, BlockFormat::F16);
        assert!(floats.iter().all(|it| !it.integers));
        let all = Tuning::tried(ALL, BlockFormat::Q4_1);
        assert!(all.iter().any(|it| it.joined == 8 && it.integers));
        assert!(all.iter().all(|it| it.joined <= 8));
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

    /// Eight rows a lane: four lanes for 32 rows, two for 16. Heads of 64 elements have a vector for each of four threads,
    /// those of 40 have not.
    #[test]
    fn quads_are_whole() {
        let quads = Tuning::SERIAL.in_quads(ALL);
        assert!(quads.within(32).in_quads);
        assert!(!quads.within(16).in_quads);
        assert!(!Tuning::PARALLEL.in_quads(ALL).within(32).in_quads);
        assert!(quads.attends_in_quads(8));
        assert!(!quads.attends_in_quads(5));
        let alone = Tuning::SERIAL.in_quads(ShaderAbilities::default());
        assert_eq!(alone, Tuning::SERIAL);
    }

    /// 256 threads for 96 rows, 4 a lane: 10 lanes, of which 2 stay in step with a subgroup.
    #[test]
    fn joined_lanes_divide_those_that_there_are() {
        let within = Tuning::PARALLEL.joining(32).within(96);
        assert_eq!([within.lanes, within.joined], [10, 2]);
        let whole = Tuning::PARALLEL.joining(32).within(32);
        assert_eq!([whole.lanes, whole.joined], [16, 16]);
        assert_eq!(Tuning::SERIAL.joining(32), Tuning::SERIAL);
    }
}
