//! The result: canonical distances of the candidates, ordered by (distance, id), with groups replaced by their members.
use crate::candidates::ordered;
use crate::distance::{Metric, Points, measure};
use crate::groups::Groups;
use crate::isa::Isa;
use crate::schedule::Stop;

/// The memory that threads write lists to. Each row is written by one thread.
pub struct Lists {
    ids: *mut i32,
    distances: *mut f32,
    rows: usize,
    k: usize,
}

// SAFETY: threads write different rows.
unsafe impl Sync for Lists {}

impl Lists {
    /// The slices must hold `rows * k` values and outlive every `write`.
    pub fn new(ids: &mut [i32], distances: &mut [f32], rows: usize, k: usize) -> Self {
        assert!(ids.len() == rows * k && distances.len() == rows * k);
        Lists { ids: ids.as_mut_ptr(), distances: distances.as_mut_ptr(), rows, k }
    }

    /// # Safety
    /// No other thread writes this row; the slices of `new` are alive.
    unsafe fn write(&self, row: usize, entries: impl Iterator<Item = (f32, u32)>) {
        assert!(row < self.rows);
        for (at, (distance, id)) in entries.take(self.k).enumerate() {
            // SAFETY: inside the row, which no other thread writes.
            unsafe {
                *self.ids.add(row * self.k + at) = id as i32;
                *self.distances.add(row * self.k + at) = distance;
            }
        }
    }
}

pub struct Ranking<'a> {
    pub isa: Isa,
    pub metric: Metric,
    pub points: &'a Points<'a>,
    pub groups: &'a Groups,
    /// Group of each point.
    pub order: &'a [u32],
    pub k: usize,
    pub lists: &'a Lists,
}

/// Buffers that a thread reuses for each row.
#[derive(Default)]
pub struct Room {
    near: Vec<(f32, u32)>,
    list: Vec<(f32, u32)>,
}

/// Rows compared between two checks for a stop.
const SLICE: usize = 4096;

impl Ranking<'_> {
    /// Writes the lists of all members of a point. Its neighbors are among `candidates`, which do not include the point itself.
    ///
    /// # Safety
    /// No other thread ranks this point.
    pub unsafe fn rank(&self, point: usize, candidates: impl Iterator<Item = u32>, room: &mut Room, stop: &Stop) {
        let Room { near, list } = room;
        let members = |point: u32| self.groups.members(self.order[point as usize] as usize);
        near.clear();
        near.extend(candidates.map(|candidate| (0.0, candidate)));
        if members(point as u32).len() > 1 {
            near.push((0.0, point as u32));
        }
        for part in near.chunks_mut(SLICE) {
            if stop.requested() {
                return;
            }
            measure(self.isa, self.metric, self.points, point, part);
        }
        // One more than k, since a member is not its own neighbor. The first `wanted` groups by (distance, first member) contain
        // the first `wanted` rows by (distance, id), because each earlier group has a row that comes before all rows of a later
        // one.
        let wanted = self.k + 1;
        let first = |&(distance, other): &(f32, u32)| order_of(distance, members(other)[0]);
        if near.len() > wanted {
            near.select_nth_unstable_by_key(wanted - 1, first);
            near.truncate(wanted);
        }
        list.clear();
        list.extend(near.iter().flat_map(|&(distance, other)| members(other).iter().take(wanted).map(move |&id| (distance, id))));
        list.sort_unstable_by_key(|&(distance, id)| order_of(distance, id));
        for &member in members(point as u32) {
            // SAFETY: a row is a member of one point only.
            unsafe { self.lists.write(member as usize, list.iter().copied().filter(|&(_, id)| id != member)) };
        }
    }
}

/// Sorts as (distance, id). No distance is -0.
fn order_of(distance: f32, id: u32) -> u64 {
    u64::from(ordered(distance)) << 32 | u64::from(id)
}
