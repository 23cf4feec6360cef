//! [`Sums`]: the shares of paths, added up over many searches.
#![expect(clippy::cast_precision_loss, reason = "counts of vertices, below 2^32")]

use super::dependency::Dependencies;
use crate::graph::VertexIndex;

/// For every vertex the sum of its shares, and the sum of their squares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sums {
    searches: usize,
    /// The source of a search in which paths were too many to count.
    overflow: Option<VertexIndex>,
    of: Vec<[f64; 2]>,
}

impl Sums {
    pub(super) fn new(count: usize) -> Self {
        Self { searches: 0, overflow: None, of: vec![[0.0; 2]; count] }
    }

    pub(super) fn clear(&mut self) {
        (self.searches, self.overflow) = (0, None);
        self.of.fill([0.0; 2]);
    }

    /// The memory for this number of vertices.
    pub(super) const fn bytes(count: usize) -> u64 {
        (count * size_of::<[f64; 2]>()) as u64
    }

    /// How many searches were added.
    pub(super) const fn searches(&self) -> usize {
        self.searches
    }

    pub(super) const fn overflow(&self) -> Option<VertexIndex> {
        self.overflow
    }

    pub(super) fn add(&mut self, source: VertexIndex, dependencies: &Dependencies) {
        self.searches += 1;
        if !dependencies.is_countable() {
            self.overflow = self.overflow.or(Some(source));
        }
        for (vertex, share) in dependencies.shares() {
            if let Some([sum, squares]) = self.of.get_mut(vertex as usize) {
                *sum += share;
                *squares += share * share;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.searches += other.searches;
        self.overflow = self.overflow.or(other.overflow);
        for ([sum, squares], [more, more_squares]) in self.of.iter_mut().zip(&other.of) {
            *sum += more;
            *squares += more_squares;
        }
    }

    /// The values of all vertices, from searches from `samples` of them.
    pub(super) fn estimates(&self, samples: usize, scale: f64) -> Vec<f64> {
        let factor = scale * if samples < self.of.len() { self.of.len() as f64 / samples as f64 } else { 1.0 };
        self.of.iter().map(|[sum, _]| sum * factor).collect()
    }

    /// The largest standard error of an estimate; `None` for a sample of one.
    pub(super) fn largest_error(&self, samples: usize) -> Option<f64> {
        if samples < 2 {
            return None;
        }
        let (samples, all) = (samples as f64, self.of.len() as f64);
        let variances = self.of.iter().map(|[sum, squares]| (squares - sum * sum / samples) / (samples - 1.0));
        let largest = variances.fold(0.0, f64::max);
        // A sample of nearly all leaves little to chance.
        Some(all * (largest / samples * (1.0 - samples / all)).sqrt())
    }

    /// The bytes of a state from which the work can go on.
    pub(super) fn save(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.of.len() * PAIR);
        bytes.extend((self.searches as u64).to_be_bytes());
        bytes.extend(self.overflow.map_or(u64::MAX, u64::from).to_be_bytes());
        bytes.extend(self.of.iter().flatten().flat_map(|number| number.to_be_bytes()));
        bytes
    }

    /// Reads a state; `None` if it is of a graph with another number of vertices.
    pub(super) fn restore(bytes: &[u8], count: usize) -> Option<Self> {
        let (head, numbers) = bytes.split_at_checked(HEAD)?;
        let (head, _) = head.as_chunks::<8>();
        let [searches, overflow] = head else { return None };
        let searches = usize::try_from(u64::from_be_bytes(*searches)).ok()?;
        let overflow = VertexIndex::try_from(u64::from_be_bytes(*overflow)).ok();
        let (numbers, rest) = numbers.as_chunks::<8>();
        let (pairs, odd) = numbers.as_chunks::<2>();
        let of: Vec<[f64; 2]> = pairs.iter().map(|pair| pair.map(f64::from_be_bytes)).collect();
        let is_whole = rest.is_empty() && odd.is_empty() && of.len() == count;
        is_whole.then_some(Self { searches, overflow, of })
    }
}

const HEAD: usize = 16;
const PAIR: usize = size_of::<[f64; 2]>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_state_is_read_back_and_another_graphs_is_not() {
        let sums = Sums { searches: 7, overflow: Some(1), of: vec![[0.5, 0.25], [1e300, f64::INFINITY]] };
        let state = sums.save();
        assert_eq!(Sums::restore(&state, 2), Some(sums));
        assert_eq!(Sums::restore(&state, 3), None);
        for end in 0..state.len() {
            assert_eq!(Sums::restore(&state[..end], 2), None, "{end}");
        }
        assert_eq!(Sums::restore(&Sums::new(0).save(), 0), Some(Sums::new(0)));
    }
}
