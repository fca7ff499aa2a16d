//! The rows that can still be among the k nearest, for each row of a block.
use crate::panels::{BLOCK, PANELS, Panels};
use crate::tile::{Hits, MR, NR, Out, Side, multiply, scan};
use crate::{isa::Isa, schedule::Stop};

pub struct Bounds {
    pub k: usize,
    /// A list of this length is pruned. A power of two, doubled for rows whose candidates fill it.
    pub limit: usize,
    /// A row with more candidates than this is compared with all others.
    pub most: usize,
}

impl Bounds {
    /// The candidates of all rows take about 1 GiB at most, unless k is large.
    pub fn new(k: usize, rows: usize) -> Self {
        let limit = (2 * k + 16).next_power_of_two();
        Bounds { k, limit, most: ((1 << 27) / rows.max(1)).clamp(4 * limit, (4 * limit).max(2048)) }
    }
}

/// The candidates of one block. The upper half of an entry is v + error, an upper bound, as ordered bits; the lower half is the
/// row.
pub struct Candidates {
    block: usize,
    lists: Vec<Vec<u64>>,
    limits: Vec<usize>,
    /// T in the comments: the k-th smallest upper bound so far.
    within: Vec<f32>,
    /// The block that this one is being compared with, and a - T - error for any of its rows.
    other: usize,
    least: Vec<f32>,
    /// Rows that will be compared with all others.
    full: Vec<bool>,
}

impl Candidates {
    pub fn new(block: usize, bounds: &Bounds) -> Self {
        Candidates {
            block,
            lists: vec![Vec::new(); BLOCK],
            limits: vec![bounds.limit; BLOCK],
            within: vec![f32::INFINITY; BLOCK],
            other: block,
            // Padding rows are not near any row.
            least: vec![f32::INFINITY; BLOCK],
            full: vec![false; BLOCK],
        }
    }

    fn meet(&mut self, panels: &Panels, bounds: &Bounds, other: usize) {
        self.other = other;
        for row in 0..BLOCK.min(panels.rows - self.block * BLOCK) {
            if self.lists[row].capacity() == 0 && !self.full[row] {
                self.lists[row].reserve_exact(bounds.limit);
            }
            self.expect(panels, row);
        }
    }

    fn expect(&mut self, panels: &Panels, row: usize) {
        let own = self.block * BLOCK + row;
        let error = panels.error(panels.reach[own], panels.blocks[self.other]);
        self.least[row] = if self.full[row] { f32::INFINITY } else { panels.half[own] - (self.within[row] + error) };
    }

    #[inline(always)]
    fn push(&mut self, panels: &Panels, bounds: &Bounds, row: usize, value: f32, other: usize) {
        if self.full[row] {
            return;
        }
        // The pair passed the bound of the whole block; its own bound may be tighter.
        let error = panels.error(panels.reach[self.block * BLOCK + row], panels.reach[other]);
        if value - error > self.within[row] {
            return;
        }
        self.lists[row].push(key(value + error, other as u32));
        if self.lists[row].len() >= self.limits[row] {
            self.prune(panels, bounds, row);
            self.expect(panels, row);
        }
    }

    /// The final candidates of a row; `None` if it must be compared with all others.
    pub fn take(&mut self, panels: &Panels, bounds: &Bounds, row: usize) -> Option<Vec<u64>> {
        self.prune(panels, bounds, row);
        (!self.full[row]).then(|| std::mem::take(&mut self.lists[row]))
    }

    /// Keeps the rows whose lower bound is at most the k-th smallest upper bound: at least k rows are that near.
    fn prune(&mut self, panels: &Panels, bounds: &Bounds, row: usize) {
        let list = &mut self.lists[row];
        if list.len() < bounds.k {
            return;
        }
        let (_, &mut kth, _) = list.select_nth_unstable(bounds.k - 1);
        let within = panels.within(value_of(kth));
        self.within[row] = within;
        let own = panels.reach[self.block * BLOCK + row];
        list.retain(|&entry| {
            let upper = value_of(entry);
            upper <= within || upper - 2.0 * panels.error(own, panels.reach[entry as u32 as usize]) <= within
        });
        if list.len() > bounds.most {
            *list = Vec::new();
            self.full[row] = true;
        } else if 2 * list.len() > self.limits[row] {
            self.limits[row] *= 2;
        }
    }
}

/// Compares all rows of a block with all rows of another, or with each other.
pub fn meet(isa: Isa, panels: &Panels, bounds: &Bounds, first: &mut Candidates, mut second: Option<&mut Candidates>, stop: &Stop) {
    let (i, j) = (first.block, second.as_ref().map_or(first.block, |second| second.block));
    first.meet(panels, bounds, j);
    if let Some(second) = &mut second {
        second.meet(panels, bounds, i);
    }
    let (mut products, mut hits): (Out, Hits) = ([0; MR * NR], [(0, 0); MR]);
    for column_panel in 0..PANELS {
        for row_panel in 0..if i == j { column_panel + 1 } else { PANELS } {
            if stop.requested() {
                return;
            }
            let (a, b) = (panels.panel(i * PANELS + row_panel), panels.panel(j * PANELS + column_panel));
            for lane in (0..NR).step_by(MR) {
                let (row, column) = (row_panel * NR + lane, column_panel * NR);
                let (rows, columns) = (i * BLOCK + row, j * BLOCK + column);
                multiply(isa, a, lane, b, &mut products);
                let least = &second.as_deref().unwrap_or(first).least[column..][..NR];
                scan(
                    isa,
                    &products,
                    &Side { scale: &panels.scale[rows..][..MR], half: &panels.half[rows..][..MR], least: &first.least[row..][..MR] },
                    &Side { scale: &panels.scale[columns..][..NR], half: &panels.half[columns..][..NR], least },
                    &mut hits,
                );
                for (r, &(mut near_row, mut near_column)) in hits.iter().enumerate() {
                    if i == j && row_panel == column_panel {
                        // Each pair once, and no row paired with itself.
                        let above = (!0u64 << (lane + r + 1)) as u32;
                        near_row &= above;
                        near_column &= above;
                    }
                    let value = |c: usize| {
                        let product = products[r * NR + c] as f32 * (panels.scale[rows + r] * panels.scale[columns + c]);
                        panels.half[rows + r] + panels.half[columns + c] - product
                    };
                    for c in bits(near_row) {
                        first.push(panels, bounds, row + r, value(c), columns + c);
                    }
                    for c in bits(near_column) {
                        second.as_deref_mut().unwrap_or(first).push(panels, bounds, column + c, value(c), rows + r);
                    }
                }
            }
        }
    }
}

fn bits(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (at < 32).then_some(at as usize)
    })
}

/// Sorts as (value, row).
fn key(value: f32, row: u32) -> u64 {
    u64::from(ordered(value)) << 32 | u64::from(row)
}

fn value_of(key: u64) -> f32 {
    let bits = (key >> 32) as u32;
    f32::from_bits(if bits >> 31 == 1 { bits & !(1 << 31) } else { !bits })
}

/// Unsigned integers that sort as the floats do.
pub fn ordered(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}
