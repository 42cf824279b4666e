//! How a kernel's rows are shared among its lanes: what is fast depends on the adapter, what comes out only on rounding.

/// In a product, a lane multiplies `rows` rows with what it reads of the input, and `lanes` of them share those rows. In
/// attention, a thread weighs `slots` slots with what it reads of the queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// Rows a lane, an even number that divides 32.
    pub rows: usize,
    /// Lanes that share them.
    pub lanes: usize,
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
    /// For adapters that run on a CPU: a load costs as much as thirty multiplications, there are few lanes to keep busy, and
    /// each four threads of a workgroup clear all of its memory.
    pub const SERIAL: Self = Self {
        rows: 8,
        lanes: 1,
        attending: 4,
        slots: 8,
        threads: 16,
    };

    /// For small models on adapters that run on a CPU: shaders that are compiled in a third of the time, where a whole text may
    /// take no longer than that.
    pub const LIGHT: Self = Self {
        rows: 2,
        lanes: 1,
        attending: 4,
        slots: 4,
        threads: 4,
    };

    /// For GPUs, which want many lanes, and neighbours to read neighbours.
    pub const PARALLEL: Self = Self {
        rows: 4,
        lanes: 16,
        attending: 64,
        slots: 4,
        threads: 64,
    };

    /// Between the two: for GPUs with few lanes.
    pub const MODERATE: Self = Self {
        rows: 4,
        lanes: 4,
        attending: 32,
        slots: 4,
        threads: 32,
    };

    /// All of them.
    pub const ALL: [Self; 4] = [Self::PARALLEL, Self::MODERATE, Self::SERIAL, Self::LIGHT];

    /// Those that are tried on a GPU.
    pub const TRIED: [Self; 3] = [Self::PARALLEL, Self::MODERATE, Self::SERIAL];

    /// What it is called; an empty text for one that is not of [`ALL`](Self::ALL).
    pub fn name(self) -> &'static str {
        const NAMES: [&str; Tuning::ALL.len()] = ["parallel", "moderate", "serial", "light"];
        let named = Self::ALL.into_iter().zip(NAMES);
        let mut found = named.filter(|(tuning, _)| *tuning == self);
        found.next().map_or("", |(_, name)| name)
    }

    /// The same with as many lanes as a workgroup may have for `tile` rows.
    #[must_use]
    pub fn within(self, tile: usize) -> Self {
        let most = (MOST_THREADS * self.rows / tile).max(1);
        Self {
            lanes: self.lanes.min(most),
            ..self
        }
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
