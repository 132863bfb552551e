//! The form of the zone is of the history, as what it carries is: one serial is one zone, whichever process serves it.

use actix::prelude::*;

use super::{Decided, ListKeeper, NotDecided, Shown, Surroundings, decide, licensing};
use crate::domain::sites::decide::{Order, Refusal};
use crate::domain::sites::state::Sites;

/// Let the zone have the form that this process is set to.
#[derive(Debug, Message)]
#[rtype(result = "Result<Decided, NotDecided>")]
pub(super) struct SetZone;

impl ListKeeper {
    /// Tells once, with each change of it, that the zone has another form than this process is set to.
    pub(super) fn tell_other_zone(&self, sites: &Sites) {
        let other = |sites: &Sites| sites.list().zone().filter(|zone| **zone != self.around.zone).cloned();
        let now = other(sites);
        if now.is_some() && now != other(&self.shown.borrow().sites) {
            tracing::warn!("a process that was started later is set to another policy zone: its zone is served");
        }
    }
}

impl Handler<SetZone> for ListKeeper {
    type Result = AtomicResponse<Self, Result<Decided, NotDecided>>;

    fn handle(&mut self, _: SetZone, _: &mut Self::Context) -> Self::Result {
        let (around, mut shown) = (self.around.clone(), self.shown.borrow().clone());
        let work = async move {
            let set = set_zone(&around, &mut shown).await;
            (shown.sites, set)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(|(sites, set), keeper, _| {
            keeper.show(sites);
            set
        })))
    }
}

async fn set_zone(around: &Surroundings, shown: &mut Shown) -> Result<Decided, NotDecided> {
    loop {
        let order = Order::SetZone { zone: around.zone.clone() };
        match decide(around, shown, order, licensing(), None).await {
            // Another process was first, perhaps with the same: it is looked at anew.
            Err(NotDecided::Refused(Refusal::Stale { .. })) => {}
            done => return done,
        }
    }
}
