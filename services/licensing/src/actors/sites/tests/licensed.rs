//! What the keeper is told of licensed domains, and when it lets go of them.

use super::*;

fn held(domain: &str, until_ms: i64) -> HeldDomain {
    HeldDomain { domain: domain.parse().expect("a name"), until: UnixMillis(until_ms) }
}

#[actix_rt::test]
async fn licensed_domains_are_told_by_the_register() {
    let world = World::new();
    let list = world.start().await;
    carry_out(&list, 1, blocks(&["sub.good.ua"])).await;
    let operator: OperatorId = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID");
    let names = ["good.ua", "play.fine.ua"].map(|name| held(name, i64::MAX));
    let touched = list.set_licensed(SetLicensed(vec![(operator, names.to_vec())])).await.expect("answers");
    let [licensed, listed] = ["good.ua", "sub.good.ua"].map(|name| name.parse().expect("a name"));
    assert_eq!(touched, [Touched { licensed, listed }]);
    let refused = order(&list, propose(2, blocks(&["fine.ua"])), "ann").await;
    assert!(matches!(refusal(refused), Refusal::Conflicts(conflicts) if conflicts.len() == 1));
    list.set_licensed(SetLicensed(vec![(operator, vec![])])).await.expect("answers");
    carry_out(&list, 2, blocks(&["fine.ua"])).await;
}

#[actix_rt::test]
async fn a_domain_is_licensed_no_longer_than_its_licence() {
    let world = World::new();
    let list = world.start().await;
    let operator: OperatorId = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID");
    let names = [held("short.ua", NOW_MS + 1_000), held("long.ua", NOW_MS + DAY_MS), held("over.ua", NOW_MS)];
    list.set_licensed(SetLicensed(vec![(operator, names.to_vec())])).await.expect("answers");
    let licensed = || list.shown().licensed.all().map(|(domain, _)| domain.to_string()).collect::<Vec<_>>();
    assert_eq!(licensed(), ["long.ua", "short.ua"]);
    world.pass_ms(999);
    let refused = order(&list, propose(1, blocks(&["short.ua"])), "ann").await;
    assert!(matches!(refusal(refused), Refusal::Conflicts(_)), "a millisecond before its end");
    // No decision is made when a licence ends, and nobody tells the list.
    world.pass_ms(1);
    carry_out(&list, 2, blocks(&["short.ua"])).await;
    assert_eq!(stands(&list, "short.ua"), "blocked");
    let refused = order(&list, propose(3, blocks(&["long.ua"])), "ann").await;
    assert!(matches!(refusal(refused), Refusal::Conflicts(_)), "the other licence goes on");
    world.pass_ms(DAY_MS);
    list.catch_up().await.expect("answers");
    assert_eq!(licensed(), [""; 0], "readers see it, too");
}

#[actix_rt::test]
async fn a_domain_of_two_is_licensed_until_the_later_licence_has_ended() {
    let world = World::new();
    let list = world.start().await;
    let [one, other] = [1, 2].map(|n| OperatorId::new(uuid::Uuid::from_u128(n)).expect("not nil"));
    let names = vec![(one, vec![held("a.ua", NOW_MS + 1_000)]), (other, vec![held("a.ua", NOW_MS + 2_000)])];
    list.set_licensed(SetLicensed(names)).await.expect("answers");
    let holder = || list.shown().licensed.holder(&"a.ua".parse().expect("a name"));
    assert_eq!(holder(), Some(one));
    for (ms, expected) in [(999, Some(one)), (1, Some(other)), (999, Some(other)), (1, None)] {
        world.pass_ms(ms);
        list.catch_up().await.expect("answers");
        assert_eq!(holder(), expected);
    }
}
