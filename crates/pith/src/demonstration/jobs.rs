//! Jobs of a type: queued by an endpoint, seen like every other task, and whole or not at all.

use pith_core::Sha256;
use serde_json::{Value, json};

use super::on_both;
use super::scene::{Answer, On, Scene};

on_both!(
    a_job_of_a_type_has_its_effect_and_is_seen_like_every_other_task,
    a_job_of_a_type_is_refused_for_wrong_arguments_when_it_is_queued,
    a_job_of_a_type_is_queued_for_those_alone_who_may_write,
    a_job_of_a_type_that_fails_or_is_cancelled_leaves_the_repository_as_it_was,
    a_job_of_a_type_that_waits_for_its_repository_is_run_after_a_restart,
);

/// A server with a repository `zoo` that has the notes `ape` and `yak`.
async fn zoo(on: On) -> Option<Scene> {
    let scene = Scene::start(on).await?;
    scene.repository("zoo", json!({})).await;
    for name in ["ape", "yak"] {
        let text = format!("{name}\n");
        let task = scene.upload("zoo", name, &text).await;
        assert_eq!(task["state"], "finished", "{task}");
    }
    Some(scene)
}

async fn fold(scene: &Scene, args: &Value) -> Answer {
    let args = args.to_string();
    let path = "/notes/zoo/-/fold";
    scene.admin("POST", path, args.as_bytes()).await
}

/// Queues a job that is taken; the report and the task's id.
async fn queued(scene: &Scene, args: Value) -> (Value, String) {
    let answer = fold(scene, &args).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let report: Value = serde_json::from_str(&answer.text).unwrap();
    let task = report["spawned_tasks"][0]["task_id"].as_str().unwrap();
    let task = task.to_owned();
    (report, task)
}

/// The content of the repository, as far as it is shown.
async fn content(scene: &Scene) -> (Value, String) {
    let repository = scene.api("GET", "/repositories/zoo/", Value::Null).await;
    let shown = [
        "content_unit_counts",
        "last_unit_added",
        "last_unit_removed",
    ];
    let shown = shown.map(|key| repository[key].clone());
    let units = scene.admin("GET", "/notes/zoo/-/units", b"").await;
    (json!(shown), units.text)
}

async fn a_job_of_a_type_has_its_effect_and_is_seen_like_every_other_task(on: On) {
    let Some(scene) = zoo(on).await else {
        return;
    };
    let args = json!({ "names": ["ape", "yak"], "into": "all", "token": "sesame" });
    let (report, id) = queued(&scene, args).await;
    let task = scene.ended(&report).await;
    assert_eq!(task["state"], "finished", "{task}");
    assert_eq!(task["task_type"], "pith_testkit.notes.fold");
    let tags = ["pulp:repository:zoo", "notes:note:all", "pulp:action:fold"];
    assert_eq!(task["tags"], json!(tags));
    assert_eq!(task["result"], json!({ "folded": 2, "size": 8 + 65 }));
    assert_eq!(task["progress_report"], json!({ "fold": { "folded": 1 } }));
    let listed = "/tasks/?tag=pulp:repository:zoo&tag=pulp:action:fold";
    let listed = scene.api("GET", listed, Value::Null).await;
    let listed: Vec<&Value> = listed.as_array().unwrap().iter().collect();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["task_id"], json!(id));

    assert_eq!(content(&scene).await.1, "all\n");
    let note = scene.note("zoo", "all").await;
    assert_eq!(note["lines"], 3, "{note}");
    let published = scene.publish("zoo").await;
    assert_eq!(published["state"], "finished", "{published}");
    let text = scene.get("/notes/zoo/all").await.text;
    let token = Sha256::of(b"sesame");
    assert_eq!(text, format!("ape\nyak\n{token}\n"));
    scene.stop().await;
}

async fn a_job_of_a_type_is_refused_for_wrong_arguments_when_it_is_queued(on: On) {
    let Some(scene) = zoo(on).await else {
        return;
    };
    for (args, said) in [
        (json!({ "names": ["ape"] }), "into"),
        (json!({ "names": "ape", "into": "all" }), "sequence"),
        (
            json!({ "names": ["ape"], "into": "all", "more": 1 }),
            "more",
        ),
        (json!({ "names": [], "into": "all" }), "no note is named"),
        (
            json!({ "names": ["ape"], "into": "../all" }),
            "cannot have this name",
        ),
    ] {
        let answer = fold(&scene, &args).await;
        assert_eq!(answer.status, 400, "{args}: {}", answer.text);
        assert!(answer.text.contains(said), "{args}: {}", answer.text);
    }
    let tasks = scene
        .api("GET", "/tasks/?tag=pulp:action:fold", Value::Null)
        .await;
    assert_eq!(tasks, json!([]));
    scene.stop().await;
}

async fn a_job_of_a_type_is_queued_for_those_alone_who_may_write(on: On) {
    let Some(scene) = zoo(on).await else {
        return;
    };
    let user = json!({ "login": "eve", "password": "secret" });
    scene.api("POST", "/users/", user).await;
    let other = json!({ "id": "isos", "importer_type_id": "iso_importer", "distributors": [] });
    scene.api("POST", "/repositories/", other).await;
    let args = json!({ "names": ["ape"], "into": "all" }).to_string();
    let ask = async |who: Option<&'static str>, repo: &str| {
        let path = format!("/notes/{repo}/-/fold");
        scene.send("POST", &path, who, args.as_bytes()).await.status
    };
    let grant = async |operation: &str| {
        let grant = json!({ "login": "eve", "resource": "/v2/repositories/zoo/", "operations": [operation] });
        scene
            .api("POST", "/permissions/actions/grant_to_user/", grant)
            .await
    };
    let eve = Some("eve:secret");
    assert_eq!(ask(None, "zoo").await, 401);
    assert_eq!(ask(eve, "zoo").await, 403);
    for operation in ["READ", "EXECUTE", "CREATE", "DELETE"] {
        grant(operation).await;
        assert_eq!(ask(eve, "zoo").await, 403, "{operation}");
    }
    let tasks = scene
        .api("GET", "/tasks/?tag=pulp:action:fold", Value::Null)
        .await;
    assert_eq!(tasks, json!([]));
    grant("UPDATE").await;
    assert_eq!(ask(eve, "zoo").await, 202);
    // Another family's repository is as good as none.
    for repo in ["isos", "none"] {
        let path = format!("/notes/{repo}/-/fold");
        let answer = scene.admin("POST", &path, args.as_bytes()).await;
        assert_eq!(answer.status, 404, "{repo}: {}", answer.text);
    }
    scene.stop().await;
}

async fn a_job_of_a_type_that_fails_or_is_cancelled_leaves_the_repository_as_it_was(on: On) {
    let Some(scene) = zoo(on).await else {
        return;
    };
    let before = content(&scene).await;
    let args = json!({ "names": ["ape", "cat"], "into": "all" });
    let (report, _) = queued(&scene, args).await;
    let task = scene.ended(&report).await;
    assert_eq!(task["state"], "error", "{task}");
    assert_eq!(task["error"]["code"], "NOT1001");
    assert_eq!(task["error"]["data"]["name"], "cat");
    assert_eq!(content(&scene).await, before);

    let args = json!({ "names": ["ape", "yak"], "into": "all", "hold": true });
    let (_, id) = queued(&scene, args).await;
    let holds = |task: &Value| task["progress_report"]["fold"]["holds"] == true;
    scene.until(&id, holds).await;
    scene
        .api("DELETE", &format!("/tasks/{id}/"), Value::Null)
        .await;
    let (report, _) = queued(&scene, json!({ "names": ["cat"], "into": "all" })).await;
    // The next task of the repository begins when the cancelled one has let go of it.
    assert_eq!(scene.ended(&report).await["error"]["code"], "NOT1001");
    let task = scene
        .api("GET", &format!("/tasks/{id}/"), Value::Null)
        .await;
    assert_eq!(task["state"], "canceled");
    assert_eq!(content(&scene).await, before);
    scene.stop().await;
}

async fn a_job_of_a_type_that_waits_for_its_repository_is_run_after_a_restart(on: On) {
    let Some(scene) = zoo(on).await else {
        return;
    };
    let holds = json!({ "names": ["yak"], "into": "other", "hold": true });
    let (_, first) = queued(&scene, holds).await;
    let is_held = |task: &Value| task["progress_report"]["fold"]["holds"] == true;
    scene.until(&first, is_held).await;
    let args = json!({ "names": ["ape", "yak"], "into": "all", "token": "open sesame" });
    let (report, waiting) = queued(&scene, args).await;
    let task = scene.until(&waiting, |_| true).await;
    assert_eq!(task["state"], "waiting", "{task}");
    if matches!(on, On::Sqlite) {
        let whole = database(&scene);
        let has = |text: &[u8]| whole.windows(text.len()).any(|part| part == text);
        assert!(has(b"pith-sealed:") && !has(b"open sesame"));
    }

    let scene = scene.restart().await;
    scene.until(&first, is_held).await;
    scene
        .api("DELETE", &format!("/tasks/{first}/"), Value::Null)
        .await;
    let task = scene.ended(&report).await;
    assert_eq!(task["state"], "finished", "{task}");
    assert_eq!(content(&scene).await.1, "all\n");
    scene.publish("zoo").await;
    let text = scene.get("/notes/zoo/all").await.text;
    let token = Sha256::of(b"open sesame");
    assert_eq!(text, format!("ape\nyak\n{token}\n"));
    scene.stop().await;
}

/// The bytes of the database's files.
fn database(scene: &Scene) -> Vec<u8> {
    let files = std::fs::read_dir(scene.folder()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|path| path.file_name().unwrap().to_string_lossy().contains(".db"));
    files
        .flat_map(|path| std::fs::read(path).unwrap())
        .collect()
}
