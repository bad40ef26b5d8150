//! Of several replicas one decides. The others read the same and hold nothing against it, so that
//! they can go on at once.

use std::net::IpAddr;

use super::Owner;
use super::settlement::Standing;
use crate::account::Account;
use crate::effect::Effect;

impl Owner {
    /// From now on this replica decides, or no longer does. Decided anew is everything: what another
    /// replica had begun is in the API server, or was never begun. Each write names the version that
    /// it is decided on, so that what this replica has not read yet refuses it.
    pub(crate) fn lead(&mut self, leads: bool) {
        self.leads = leads;
        self.metrics.lead(leads);
        if leads {
            self.wake_all();
            let entries = self.ledger.entries();
            self.dirty_entries
                .extend(entries.map(|entry| entry.allocation.address));
            self.configuration.mark_dirty();
            self.look_up_if_doubtful();
        } else {
            self.stand_down();
        }
    }

    /// Whom we run as, which tells this installation from others.
    pub(crate) fn runs_as(&mut self, account: Option<Account>) {
        self.configuration.runs_as(account);
    }

    /// What is not carried out yet is dropped, and with it whatever only we know of.
    fn stand_down(&mut self) {
        self.effects.clear();
        self.timers.clear();
        for tracked in self.services.values_mut() {
            tracked.standing = Standing::default();
        }
        self.settling.clear();
        self.releasing.clear();
        self.configuration.stand_down();
        let ledger = &self.ledger;
        let all = self.allocator.allocations().map(|held| held.address);
        let unwritten: Vec<IpAddr> = all.filter(|one| ledger.entry(*one).is_none()).collect();
        for address in unwritten {
            self.allocator.forget(address);
        }
    }

    /// Has something done, if it is ours to do.
    pub(super) fn want(&mut self, effect: Effect) {
        if self.leads {
            self.effects.push_back(effect);
        }
    }
}
