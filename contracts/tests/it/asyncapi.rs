//! `asyncapi.yaml` names everything that is on the bus.

#[test]
fn every_subject_and_event_type_is_in_asyncapi() {
    let page = include_str!("../../asyncapi.yaml");
    let sources = [
        include_str!("../../src/subjects.rs"),
        include_str!("../../src/events.rs"),
        include_str!("../../src/registry.rs"),
        // Its other constants are headers of HTTP.
        "pub const CE_EXCHANGE: &str = \"org.dsom.sandbox.exchange.v1\";",
    ];
    let constants = sources.concat();
    let mut named = 0;
    for line in constants.lines().filter(|line| line.starts_with("pub const ") && line.contains(": &str = ")) {
        let value = line.split('"').nth(1).expect("a text constant");
        assert!(page.contains(value), "{value} is not in contracts/asyncapi.yaml");
        named += 1;
    }
    assert!(named > 10, "the constants were found");
}
