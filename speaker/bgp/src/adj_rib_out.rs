//! What one peer has been told, and what it is still to be told (RFC 4271 §3.2).
//!
//! ```text
//!   desired: RouteSet ──┐  shard by shard; the same allocation is skipped
//!                       ├─▶ compare ─▶ batch (≤ 4,096 changes and one shard) ─▶ emit ─▶ UPDATEs
//!   told: 256 shards ◀──┘             grouped by attributes                  while there is room
//! ```
//!
//! What was told is kept as the very shards that were desired then, so that it costs no memory of
//! its own. A batch is compared only when the one before it is out: while a peer does not read,
//! nothing piles up here but the newest desired set, and routes that came and went meanwhile are
//! never mentioned.
//!
//! **Passes.** A peer is told all routes of a family at the start, and again when it asks (RFC
//! 2918). A pass marks every shard and is over when each has been compared; its end is said with
//! End-of-RIB or, where enhanced refresh was negotiated, with EoRR after a BoRR (RFC 7313). A peer
//! that asks during a pass gets one more after it, however often it asks. What it asks for is told
//! one family after the other: FRR (seen with 8.4) keeps one note per peer that a BoRR came, misses
//! that of a second family meanwhile, and takes its EoRR for an error.

mod changes;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use self::changes::Changes;
use crate::per_family::PerFamily;
use crate::route_set::{Route, RouteSet, SHARDS, Shard};
use crate::rules::Rules;
use crate::wire::{self, Message, RefreshSubtype, RouteRefresh, Session};
use crate::{Attributes, Families, Family, Prefix};

/// Changes that are compared in one go: enough to fill UPDATEs, few enough that they are nothing
/// to keep while a peer does not read.
const BATCH: usize = 4_096;

/// How a peer hears that it has been told all of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    /// End-of-RIB, RFC 4724 §2.
    EndOfRib,
    /// BoRR before and EoRR after, RFC 7313 §4.
    Enhanced,
}

impl Marker {
    /// How a peer hears it after it has asked.
    pub(crate) fn of(session: &Session) -> Self {
        if session.enhanced_route_refresh {
            Self::Enhanced
        } else {
            Self::EndOfRib
        }
    }
}

/// Where the telling of all of a family stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pass {
    running: Option<Marker>,
    /// Asked for while one was running, of either family.
    next: Option<Marker>,
}

/// One shard of what has been told, or lies in the batch to be told.
#[derive(Debug, Clone)]
struct Told {
    shard: Shard,
    /// The families in it that count: others were withheld when it was compared.
    families: Families,
    /// Families to be told whole, changed or not.
    again: Families,
}

/// The next thing to say.
#[derive(Debug)]
enum Item {
    Withdraw(Family, Vec<Prefix>),
    Announce(Family, Arc<Attributes>, Vec<Prefix>),
    Begin(Family),
    End(Family, Marker),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct AdjRibOut {
    desired: RouteSet,
    told: Vec<Told>,
    /// Families that may be told.
    families: Families,
    /// The shard to compare next.
    cursor: usize,
    /// Whether every shard has been compared since the last change of anything.
    compared: bool,
    passes: PerFamily<Pass>,
    batch: VecDeque<Item>,
    told_count: PerFamily<usize>,
    /// Told by the count above and not in truth: their attributes do not fit into a message.
    oversized: BTreeSet<Prefix>,
}

impl AdjRibOut {
    /// For a session that was just established: nothing has been told, and End-of-RIB is owed for
    /// each negotiated family, those included that are not told now.
    pub(crate) fn new(desired: RouteSet, negotiated: Families, told: Families) -> Self {
        let nothing = Told {
            shard: Arc::from([]),
            families: Families::default(),
            again: negotiated,
        };
        let first = |family| Pass {
            running: negotiated.contains(family).then_some(Marker::EndOfRib),
            next: None,
        };
        Self {
            desired,
            told: vec![nothing; SHARDS],
            families: told,
            cursor: 0,
            compared: false,
            passes: PerFamily::each(first),
            batch: VecDeque::new(),
            told_count: PerFamily::default(),
            oversized: BTreeSet::new(),
        }
    }

    /// Sets what the peer is to hold from now on.
    pub(crate) fn set_desired(&mut self, desired: RouteSet) {
        self.desired = desired;
        self.compared = false;
    }

    /// Sets which families may be told; what was told of the others is withdrawn.
    pub(crate) fn set_families(&mut self, families: Families) {
        self.families = families;
        self.compared = false;
    }

    /// Tells all of a family again, because what the peer's rules make of a route has changed.
    pub(crate) fn tell_again(&mut self, family: Family) {
        self.told
            .iter_mut()
            .for_each(|told| told.again.insert(family));
        self.compared = false;
    }

    /// The peer asks for all of a family (RFC 2918).
    pub(crate) fn refresh(&mut self, family: Family, marker: Marker) {
        if self.is_passing() {
            self.passes.of_mut(family).next = Some(marker);
        } else {
            self.begin(family, marker);
        }
    }

    /// Emits what is to be said next, until `out` holds `limit` bytes or a little more (one run of
    /// UPDATEs) or all has been said.
    pub(crate) fn emit(
        &mut self,
        session: &Session,
        rules: &Rules,
        limit: usize,
        out: &mut Vec<u8>,
    ) {
        while out.len() < limit {
            let Some(item) = self.next() else {
                return;
            };
            self.write(item, session, rules, out);
        }
    }

    /// Whether the peer has been told all.
    pub(crate) fn is_settled(&self) -> bool {
        self.compared && self.batch.is_empty()
    }

    /// How many prefixes of each family the peer has been told.
    pub(crate) fn count(&self) -> PerFamily<usize> {
        let oversized = self.oversized();
        PerFamily::each(|family| {
            let told = *self.told_count.of(family);
            told.saturating_sub(*oversized.of(family))
        })
    }

    /// How many of each family it cannot be told, because their attributes fit into no message.
    pub(crate) fn oversized(&self) -> PerFamily<usize> {
        let of = |family| self.oversized.iter().filter(move |p| p.family() == family);
        PerFamily::each(|family| of(family).count())
    }

    fn is_passing(&self) -> bool {
        let mut families = Families::BOTH.iter();
        families.any(|family| self.passes.of(family).running.is_some())
    }

    fn begin(&mut self, family: Family, marker: Marker) {
        if marker == Marker::Enhanced {
            self.batch.push_back(Item::Begin(family));
        }
        *self.passes.of_mut(family) = Pass {
            running: Some(marker),
            next: None,
        };
        self.tell_again(family);
    }

    fn next(&mut self) -> Option<Item> {
        while self.batch.is_empty() && !self.compared {
            self.compare_batch();
        }
        self.batch.pop_front()
    }

    fn compare_batch(&mut self) {
        let mut changes = Changes::default();
        self.compared = true;
        for _ in 0..SHARDS {
            if changes.len() >= BATCH {
                self.compared = false;
                break;
            }
            self.compare(self.cursor, &mut changes);
            self.cursor = (self.cursor + 1) % SHARDS;
        }
        for (family, withdrawn) in changes.withdrawn() {
            self.batch.push_back(Item::Withdraw(family, withdrawn));
        }
        for (family, attributes, announced) in changes.announced() {
            let item = Item::Announce(family, attributes, announced);
            self.batch.push_back(item);
        }
        Families::BOTH
            .iter()
            .for_each(|family| self.end_pass(family));
    }

    /// Ends a pass whose last shard has been compared.
    fn end_pass(&mut self, family: Family) {
        let pass = *self.passes.of(family);
        let Some(marker) = pass.running else {
            return;
        };
        if self.told.iter().any(|told| told.again.contains(family)) {
            return;
        }
        self.batch.push_back(Item::End(family, marker));
        self.passes.of_mut(family).running = None;
        if !self.is_passing() {
            self.begin_next(family);
        }
    }

    /// Begins a pass that was asked for during another one: the other family's first, so that a
    /// peer that asks for one again and again is told both.
    fn begin_next(&mut self, ended: Family) {
        let others = Families::BOTH.iter().filter(|family| *family != ended);
        let next = others
            .chain([ended])
            .find_map(|family| Some((family, self.passes.of(family).next?)));
        if let Some((family, marker)) = next {
            self.begin(family, marker);
        }
    }

    fn compare(&mut self, index: usize, changes: &mut Changes) {
        let (Some(desired), Some(told)) =
            (self.desired.shards().get(index), self.told.get_mut(index))
        else {
            return;
        };
        let same = Arc::ptr_eq(desired, &told.shard) && told.families == self.families;
        if same && told.again.is_empty() {
            return;
        }
        let counted =
            |families: Families| move |route: &&Route| families.contains(route.prefix.family());
        let mut old = told.shard.iter().filter(counted(told.families)).peekable();
        let mut new = desired.iter().filter(counted(self.families)).peekable();
        loop {
            let before = old.next_if(|old| new.peek().is_none_or(|new| old.prefix <= new.prefix));
            let after = new.next_if(|new| before.is_none_or(|old| old.prefix == new.prefix));
            match (before, after) {
                (None, None) => break,
                (Some(gone), None) => {
                    *self.told_count.of_mut(gone.prefix.family()) -= 1;
                    changes.withdraw(gone.prefix);
                }
                (None, Some(fresh)) => {
                    *self.told_count.of_mut(fresh.prefix.family()) += 1;
                    changes.announce(fresh);
                }
                (Some(before), Some(after)) => {
                    let again = told.again.contains(after.prefix.family());
                    if again || before.attributes != after.attributes {
                        changes.announce(after);
                    }
                }
            }
        }
        told.shard = Arc::clone(desired);
        told.families = self.families;
        told.again = Families::default();
    }

    fn write(&mut self, item: Item, session: &Session, rules: &Rules, out: &mut Vec<u8>) {
        match item {
            Item::Withdraw(family, prefixes) => {
                self.forget_oversized(&prefixes);
                wire::withdraw(family, &prefixes, session, out);
            }
            Item::Announce(family, attributes, prefixes) => {
                let before = out.len();
                let told = rules
                    .path_attributes(family, &attributes)
                    .is_some_and(|attributes| {
                        wire::announce(family, &attributes, &prefixes, session, out).is_ok()
                    });
                if told {
                    self.forget_oversized(&prefixes);
                } else {
                    // The peer may hold these with what they carried before.
                    out.truncate(before);
                    wire::withdraw(family, &prefixes, session, out);
                    self.oversized.extend(prefixes);
                }
            }
            Item::Begin(family) => refresh(family, RefreshSubtype::BeginningOfRib, session, out),
            Item::End(family, Marker::Enhanced) => {
                refresh(family, RefreshSubtype::EndOfRib, session, out);
            }
            Item::End(family, Marker::EndOfRib) => wire::end_of_rib(family, out),
        }
    }

    fn forget_oversized(&mut self, prefixes: &[Prefix]) {
        if !self.oversized.is_empty() {
            prefixes.iter().for_each(|prefix| {
                self.oversized.remove(prefix);
            });
        }
    }
}

fn refresh(family: Family, subtype: RefreshSubtype, session: &Session, out: &mut Vec<u8>) {
    Message::RouteRefresh(RouteRefresh {
        family: family.into(),
        subtype,
    })
    .emit(Some(session), out);
}

#[cfg(test)]
mod tests;
