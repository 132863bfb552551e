//! Whether enough nodes are connected for a majority of the copies to answer.

use std::collections::BTreeMap;

use scylla::cluster::ClusterState;
use scylla::cluster::metadata::Strategy;

use super::consistency::Majority;

/// The nodes of one data centre.
#[derive(Debug, Clone, Copy, Default)]
struct Nodes {
    known: usize,
    connected: usize,
}

/// Says why a majority of the copies can't answer, if it can't. With more nodes than copies some rows may be out of reach even so;
/// where there are fewer connected nodes than a majority has, all are.
pub(super) fn judge(
    state: &ClusterState,
    keyspace: &str,
    majority: Majority,
    here: Option<&str>,
) -> Result<(), String> {
    let mut nodes: BTreeMap<&str, Nodes> = BTreeMap::new();
    for node in state.get_nodes_info() {
        let of = nodes.entry(node.datacenter.as_deref().unwrap_or_default()).or_default();
        of.known += 1;
        of.connected += usize::from(node.is_connected());
    }
    let copies = match state.get_keyspace(keyspace).map(|keyspace| &keyspace.strategy) {
        Some(Strategy::NetworkTopologyStrategy { datacenter_repfactors }) => {
            datacenter_repfactors.iter().map(|(name, copies)| (name.as_str(), *copies)).collect()
        }
        // Not one of `dsom migrate`; it is asked whether anybody is there.
        _ => nodes.keys().map(|name| (*name, 1)).collect(),
    };
    enough(&nodes, &copies, majority, here)
}

fn enough(
    nodes: &BTreeMap<&str, Nodes>,
    copies: &BTreeMap<&str, usize>,
    majority: Majority,
    here: Option<&str>,
) -> Result<(), String> {
    let kept: Vec<(Nodes, usize)> = copies
        .iter()
        .filter(|(name, copies)| {
            **copies > 0 && (majority == Majority::Quorum || here.is_none_or(|here| here == **name))
        })
        .map(|(name, copies)| (nodes.get(name).copied().unwrap_or_default(), *copies))
        .collect();
    let judged: Vec<(Nodes, usize)> = match majority {
        Majority::LocalQuorum => kept,
        Majority::Quorum => {
            let all = kept.iter().fold(Nodes::default(), |all, (nodes, _)| Nodes {
                known: all.known + nodes.known,
                connected: all.connected + nodes.connected,
            });
            vec![(all, kept.iter().map(|(_, copies)| copies).sum())]
        }
    };
    // Without a data centre of our own any one will do.
    if judged.iter().any(|(nodes, copies)| nodes.connected > copies / 2) {
        return Ok(());
    }
    match judged.iter().max_by_key(|(nodes, _)| nodes.connected) {
        Some((nodes, copies)) => Err(format!(
            "{} of {} CQL nodes connected, and {copies} copies of each row need {}",
            nodes.connected,
            nodes.known,
            copies / 2 + 1
        )),
        None => Err(format!("the keyspace has no copies in the data centre {}", here.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(
        majority: Majority,
        here: Option<&str>,
        of: &[(&'static str, usize, usize, usize)],
    ) -> Result<(), String> {
        let nodes = of.iter().map(|&(name, known, connected, _)| (name, Nodes { known, connected })).collect();
        let copies = of.iter().map(|&(name, _, _, copies)| (name, copies)).collect();
        enough(&nodes, &copies, majority, here)
    }

    #[test]
    fn a_majority_of_the_copies_is_needed_not_any_node() {
        let local = |connected, copies| judged(Majority::LocalQuorum, Some("kyiv"), &[("kyiv", 3, connected, copies)]);
        // By hand: of 3 copies 2 answer, of 5 copies 3, of 1 and of 2 all.
        for (connected, copies, ready) in [
            (0, 1, false),
            (1, 1, true),
            (1, 2, false),
            (2, 2, true),
            (1, 3, false),
            (2, 3, true),
            (2, 5, false),
            (3, 5, true),
        ] {
            assert_eq!(local(connected, copies).is_ok(), ready, "{connected} connected, {copies} copies");
        }
        let why = local(1, 3).expect_err("one of three");
        assert_eq!(why, "1 of 3 CQL nodes connected, and 3 copies of each row need 2");
    }

    #[test]
    fn nodes_elsewhere_count_where_their_copies_do() {
        let of = [("kyiv", 3, 1, 3), ("lviv", 3, 3, 3)];
        assert!(judged(Majority::LocalQuorum, Some("kyiv"), &of).is_err());
        assert!(judged(Majority::LocalQuorum, Some("lviv"), &of).is_ok());
        assert!(judged(Majority::LocalQuorum, None, &of).is_ok());
        assert!(judged(Majority::LocalQuorum, Some("odesa"), &of).is_err(), "no copies there");
        // Four of six copies make a majority.
        assert!(judged(Majority::Quorum, Some("kyiv"), &of).is_ok());
        assert!(judged(Majority::Quorum, Some("lviv"), &[("kyiv", 3, 0, 3), ("lviv", 3, 3, 3)]).is_err());
    }
}
