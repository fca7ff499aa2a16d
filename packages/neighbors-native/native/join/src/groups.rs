//! Rows that are equal in every column are one point of the join; the result is written out for all of them. 0 and -0 are equal.
use crate::distance::row;
use crate::schedule::{Stop, fill_parts};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub struct Groups {
    /// First row of each group, ascending.
    pub first: Vec<u32>,
    /// Members of group g: `members[start[g]..start[g + 1]]`, ascending.
    pub start: Vec<u32>,
    pub members: Vec<u32>,
}

impl Groups {
    pub fn members(&self, group: usize) -> &[u32] {
        &self.members[self.start[group] as usize..self.start[group + 1] as usize]
    }
}

/// Groups equal rows. Without `dedupe`, every row is its own group.
/// The error is the first row with a NaN or infinity.
pub fn group_rows(data: &[f32], rows: usize, cols: usize, dedupe: bool, threads: usize, stop: &Stop) -> Result<Groups, usize> {
    let mut hashes = vec![0u64; rows];
    let bad = AtomicUsize::new(usize::MAX);
    fill_parts(&mut hashes, threads, stop, |start, part| {
        for (at, hash) in part.iter_mut().enumerate() {
            let x = row(data, cols, start + at);
            *hash = hash_row(x);
            if !x.iter().all(|value| value.is_finite()) {
                bad.fetch_min(start + at, Relaxed);
            }
        }
    });
    match bad.into_inner() {
        usize::MAX => Ok(if dedupe && !stop.requested() { collapse(data, cols, &hashes, stop) } else { each_alone(rows) }),
        bad => Err(bad),
    }
}

fn each_alone(rows: usize) -> Groups {
    let members: Vec<u32> = (0..rows as u32).collect();
    Groups { first: members.clone(), start: (0..=rows as u32).collect(), members }
}

fn collapse(data: &[f32], cols: usize, hashes: &[u64], stop: &Stop) -> Groups {
    let rows = hashes.len();
    // Open addressing: group + 1, or 0 for a free slot.
    let mut table = vec![0u32; (2 * rows).next_power_of_two()];
    let mask = table.len() - 1;
    let mut first: Vec<u32> = Vec::new();
    let mut of = vec![0u32; rows];
    for at in 0..rows {
        if at.is_multiple_of(1024) && stop.requested() {
            return each_alone(rows);
        }
        let mut slot = (hashes[at] >> 20) as usize & mask;
        of[at] = loop {
            let Some(group) = table[slot].checked_sub(1) else {
                first.push(at as u32);
                table[slot] = first.len() as u32;
                break first.len() as u32 - 1;
            };
            let other = first[group as usize] as usize;
            if hashes[other] == hashes[at] && row(data, cols, other) == row(data, cols, at) {
                break group;
            }
            slot = (slot + 1) & mask;
        };
    }
    let mut start = vec![0u32; first.len() + 1];
    for &group in &of {
        start[group as usize + 1] += 1;
    }
    for group in 0..first.len() {
        start[group + 1] += start[group];
    }
    let (mut next, mut members) = (start.clone(), vec![0u32; rows]);
    for (at, &group) in of.iter().enumerate() {
        members[next[group as usize] as usize] = at as u32;
        next[group as usize] += 1;
    }
    Groups { first, start, members }
}

fn hash_row(x: &[f32]) -> u64 {
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let step = |hash: u64, value: f32| (hash.rotate_left(5) ^ u64::from((value + 0.0).to_bits())).wrapping_mul(FACTOR);
    // Four independent chains, because each step of a chain waits for the multiplication before it.
    let (fours, rest) = x.as_chunks::<4>();
    let mut chain = [1u64, 2, 3, 4];
    for four in fours {
        for (hash, &value) in chain.iter_mut().zip(four) {
            *hash = step(*hash, value);
        }
    }
    let hash = rest.iter().fold(0, |hash, &value| step(hash, value));
    chain.iter().fold(hash, |hash, &other| (hash.rotate_left(23) ^ other).wrapping_mul(FACTOR))
}
