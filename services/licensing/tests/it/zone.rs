//! The zone of the block list over a restart with other settings.

use reqwest::Method;

use crate::world::{Licensing, World};

#[actix_rt::test]
async fn a_start_with_another_garden_takes_the_serial_on() {
    let world = World::new();
    let soa_serial = async |licensing: &Licensing| {
        let zone = world.send(Method::GET, &format!("{}/v1/sites.rpz", licensing.url), None, None, None).await.ok();
        let soa = zone.as_str().expect("text").lines().find(|line| line.starts_with("@ IN SOA ")).expect("a SOA");
        soa.split(' ').nth(5).and_then(|serial| serial.parse::<u32>().ok()).expect("a serial")
    };
    let mut serials = Vec::new();
    for garden in [None, None, Some("blocked.example.ua")] {
        let config = licensing::config::Config { rpz_garden: garden.map(str::to_owned), ..world.config() };
        let licensing = world.licensing_with(config).await;
        serials.push(soa_serial(&licensing).await);
        if garden.is_some() {
            let since = format!("{}/v1/sites.rpz?since={}", licensing.url, serials[0]);
            world.send(Method::GET, &since, None, None, None).await.refused(410, "gone");
        }
        licensing.running.stop().await;
    }
    assert_eq!(serials, [1, 1, 2]);
}
