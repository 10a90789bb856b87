//! Distributors that pass on what another one has published.

use pith_testkit::upstream::Upstream;
use serde_json::{Value, json};

use super::on_both;
use super::scene::{On, Scene};

on_both!(
    what_a_distributor_published_is_passed_on_and_nothing_newer,
    a_predistributor_must_be_another_distributor_of_the_repository,
);

impl Scene {
    /// Gives a repository the distributor `second`, which passes on what `first` has published.
    async fn second(&self, repo: &str, first: &str) {
        let body = json!({
            "distributor_type_id": "notes_distributor",
            "distributor_id": "second",
            "distributor_config": { "relative_url": format!("{repo}-2"), "passes_on": first },
        });
        let path = format!("/repositories/{repo}/distributors/");
        self.api("POST", &path, body).await;
    }

    async fn publish_second(&self, repo: &str) -> Value {
        let path = format!("/repositories/{repo}/actions/publish/");
        let task = self.api("POST", &path, json!({ "id": "second" })).await;
        self.ended(&task).await
    }

    async fn served(&self, path: &str) -> Option<String> {
        let read = self.get(path).await;
        (read.status == 200).then_some(read.text)
    }
}

async fn what_a_distributor_published_is_passed_on_and_nothing_newer(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    let upstream = Upstream::start().await.unwrap();
    upstream.put("/names", "ape 3\n".to_owned());
    upstream.put("/ape", b"one".to_vec());
    let feed = json!({ "feed": format!("{}/", upstream.url()), "download_policy": "on_demand" });
    scene.mirror("zoo", feed, json!({})).await;
    scene.second("zoo", "notes").await;
    assert_eq!(scene.sync("zoo").await["state"], "finished");
    scene.upload("zoo", "bee", "buzz").await;

    let skipped = "Skipped: Predistributor notes has not published since last publish.";
    let too_early = scene.publish_second("zoo").await;
    assert_eq!(too_early["result"]["result"], "skipped", "{too_early}");
    assert_eq!(too_early["result"]["summary"], skipped);
    assert_eq!(scene.served("/notes/zoo-2/names").await, None);

    assert_eq!(scene.publish("zoo").await["state"], "finished");
    scene.upload("zoo", "cow", "moo").await;
    let passed_on = scene.publish_second("zoo").await;
    assert_eq!(passed_on["result"]["result"], "success", "{passed_on}");
    let served = async |name: &str| scene.served(&format!("/notes/zoo-2/{name}")).await;
    assert_eq!(served("names").await.as_deref(), Some("ape\nbee"));
    assert_eq!(served("-/count").await.as_deref(), Some("4"));
    let kind = scene.get("/notes/zoo-2/bee").await;
    assert_eq!(kind.header("content-type"), "text/x-note; charset=utf-8");
    assert_eq!(served("bee").await.as_deref(), Some("buzz"));
    assert_eq!(
        served("ape").await.as_deref(),
        Some("one"),
        "a file that was not here"
    );
    assert_eq!(served("cow").await, None, "nobody has published it");

    let again = scene.publish_second("zoo").await;
    assert_eq!(again["result"]["summary"], skipped, "{again}");
    assert_eq!(scene.publish("zoo").await["result"]["result"], "success");
    assert_eq!(served("cow").await, None, "until it is passed on");
    let passed_on = scene.publish_second("zoo").await;
    assert_eq!(passed_on["result"]["result"], "success", "{passed_on}");
    assert_eq!(served("cow").await.as_deref(), Some("moo"));
    scene.stop().await;
}

async fn a_predistributor_must_be_another_distributor_of_the_repository(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    for (repo, first, reason) in [
        ("none", "nobody", "nobody"),
        ("own", "second", "[passes_on] names the distributor itself"),
    ] {
        scene.repository(repo, json!({})).await;
        scene.second(repo, first).await;
        let failed = scene.publish_second(repo).await;
        assert_eq!(failed["state"], "error", "{failed}");
        let text = failed["error"].to_string();
        assert!(text.contains(reason), "{text}");
    }
    scene.stop().await;
}
