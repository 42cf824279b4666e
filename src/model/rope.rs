//! TEMP
use super::config::{RopeConfig, RopeLayout}; use super::error::ModelError;
#[derive(Debug, Clone)]
pub struct Rope { inverse: Vec<f64>, layout: RopeLayout }
impl Rope {
    pub fn new(c: &RopeConfig, _factors: Option<Vec<f32>>) -> Result<Self, ModelError> { Ok(Self { inverse: (0..c.rotated/2).map(|i| c.base.powf(-2.0*i as f64/c.rotated as f64)).collect(), layout: c.layout }) }
    pub fn layout(&self) -> RopeLayout { self.layout }
    pub fn rows(&self, first: usize, count: usize) -> (Vec<f32>, Vec<f32>) {
        let a = (first..first+count).flat_map(|p| self.inverse.iter().map(move |f| p as f64 * f));
        a.map(|a| (a.cos() as f32, a.sin() as f32)).unzip() }
}
