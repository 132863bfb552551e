//! The zone of the block list over a restart with other settings.

use reqwest::Method;

use crate::world::{Licensing, World};

async fn set_to(world: &World, garden: Option<&str>) -> Licensing {
    let config = licensing::config::Config { rpz_garden: garden.map(str::to_owned), ..world.config() };
    world.licensing_with(config).await
}

async fn soa_serial(world: &World, licensing: &Licensing) -> u32 {
    let zone = world.send(Method::GET, &format!("{}/v1/sites.rpz", licensing.url), None, None, None).await.ok();
    let soa = zone.as_str().expect("text").lines().find(|line| line.starts_with("@ IN SOA ")).expect("a SOA");
    soa.split(' ').nth(5).and_then(|serial| serial.parse().ok()).expect("a serial")
}

#[actix_rt::test]
async fn a_start_with_another_garden_takes_the_serial_on() {
    let world = World::new();
    let mut serials = Vec::new();
    for garden in [None, None, Some("blocked.example.ua")] {
        let licensing = set_to(&world, garden).await;
        serials.push(soa_serial(&world, &licensing).await);
        if garden.is_some() {
            let since = format!("{}/v1/sites.rpz?since={}", licensing.url, serials[0]);
            world.send(Method::GET, &since, None, None, None).await.refused(410, "gone");
        }
        licensing.running.stop().await;
    }
    assert_eq!(serials, [1, 1, 2]);
}

#[actix_rt::test]
async fn of_two_processes_that_start_at_once_with_another_garden_one_takes_the_serial_on() {
    let Some(world) = World::on_cql() else { return };
    let old = set_to(&world, None).await;
    let garden = Some("blocked.example.ua");
    let (one, other) = futures::join!(set_to(&world, garden), set_to(&world, garden));
    assert_eq!((soa_serial(&world, &one).await, soa_serial(&world, &other).await), (2, 2));
    for licensing in [old, one, other] {
        licensing.running.stop().await;
    }
}
