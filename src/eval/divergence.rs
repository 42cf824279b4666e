//! Divergence of one next-token distribution from another.

/// The distribution under a full cache at one position, prepared for comparison.
#[derive(Debug, Clone)]
pub struct Reference {
    logits: Vec<f32>,
    /// Probabilities.
    shares: Vec<f64>,
    log_sum: f64,
    likeliest: usize,
}

/// A policy's distribution, compared with the full cache's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divergence {
    /// KL(full ‖ policy), in nats.
    pub kl: f64,
    /// Both have the same likeliest token.
    pub agrees: bool,
    /// −ln of the gold token's probability under the policy.
    pub loss: f64,
}

impl Reference {
    /// Prepares the logits of every token in the vocabulary.
    pub fn new(logits: Vec<f32>) -> Self {
        let log_sum = log_sum(&logits);
        let shares = logits
            .iter()
            .map(|&logit| (f64::from(logit) - log_sum).exp());
        Self {
            shares: shares.collect(),
            likeliest: likeliest(&logits),
            log_sum,
            logits,
        }
    }

    /// Compares it with as many `logits` of a policy, at a position followed by `gold`. The
    /// divergence is NaN if a logit is not finite; tokens beyond the vocabulary have an infinite
    /// loss.
    pub fn compare(&self, logits: &[f32], gold: u32) -> Divergence {
        let log_sum = log_sum(logits);
        // Σ p (ln p − ln q), with ln p = x − log Σ exp x. Logits are subtracted first, so that
        // equal ones cancel exactly.
        let apart: f64 = self
            .shares
            .iter()
            .zip(self.logits.iter().zip(logits))
            .map(|(share, (own, other))| share * (f64::from(*own) - f64::from(*other)))
            .sum();
        let kl = apart + (log_sum - self.log_sum);
        let gold = logits.get(gold as usize).copied();
        Divergence {
            // The divergence is never below 0; its rounding may be.
            kl: if kl < 0.0 { 0.0 } else { kl },
            agrees: likeliest(logits) == self.likeliest,
            loss: gold.map_or(f64::INFINITY, |gold| log_sum - f64::from(gold)),
        }
    }
}

/// ln Σ exp.
fn log_sum(logits: &[f32]) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let most = f64::from(most);
    let sum: f64 = logits.iter().map(|&it| (f64::from(it) - most).exp()).sum();
    most + sum.ln()
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Near 40 the rounding of f32 logits is 2·10⁻⁶.
    const CLOSE: f64 = 1e-5;

    /// Logits with this softmax, plus a shift that must not matter.
    fn logits(shares: &[f64], shift: f32) -> Vec<f32> {
        shares.iter().map(|p| p.ln() as f32 + shift).collect()
    }

    #[test]
    fn divergence_is_as_by_hand() {
        // Σ p ln(p/q) = ½ ln 2 + ¼ ln 1 + ¼ ln ½ = ¼ ln 2.
        let full = Reference::new(logits(&[0.5, 0.25, 0.25], 3.0));
        let found = full.compare(&logits(&[0.25, 0.25, 0.5], -40.0), 2);
        assert!((found.kl - 0.25 * 2f64.ln()).abs() < CLOSE, "{found:?}");
        assert!((found.loss - 2f64.ln()).abs() < CLOSE, "{found:?}");
        assert!(!found.agrees);
        // A pair whose divergence differs the other way round.
        let full = Reference::new(logits(&[0.9, 0.1], 0.0));
        let found = full.compare(&logits(&[0.5, 0.5], 0.0), 0);
        let expected = 0.9 * (0.9f64 / 0.5).ln() + 0.1 * (0.1f64 / 0.5).ln();
        assert!((found.kl - expected).abs() < CLOSE, "{found:?}");
        assert!(found.agrees, "of equals the first is the likeliest");
    }

    #[test]
    fn the_same_is_nothing_apart() {
        let all: Vec<f32> = (0..1000).map(|i| (i * 7919 % 1000) as f32 / 30.0).collect();
        let found = Reference::new(all.clone()).compare(&all, 5);
        assert_eq!((found.kl, found.agrees), (0.0, true));
    }

    #[test]
    fn what_is_no_number_shows() {
        let full = Reference::new(vec![0.0, 1.0]);
        assert!(full.compare(&[0.0, f32::NAN], 0).kl.is_nan());
        assert_eq!(full.compare(&[0.0, 1.0], 2).loss, f64::INFINITY);
    }
}
