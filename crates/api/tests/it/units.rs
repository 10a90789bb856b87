//! Unit search over units of a type made for it, compared with filtering and sorting everything in memory.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use pith_content::descriptor::KeyField;
use pith_content::descriptor::StorageName;
use pith_content::rules::NamedParts;
use pith_content::{ContentType, Distributor, Importer, Presented, UnitKey, UnitRules, UnitType};
use pith_core::criteria::{Filter, compare};
use pith_core::{Document, Sha256, UnitId};
use pith_store::NewUnit;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::server::Server;

const TOY: UnitType = UnitType {
    id: "toy",
    display_name: "Toy",
    description: "Toy",
    key: &[
        KeyField::same("name"),
        KeyField {
            name: "id",
            stored: "toy_id",
        },
    ],
    indexed: &["colour"],
    file_backed: true,
    storage_name: StorageName::Field("name"),
    presented: &[Presented {
        field: "manual",
        parts: &["manual"],
    }],
    known: Some(&["name", "id", "colour", "parts", "weight", "manual"]),
    rules: &ToyRules,
    ..UnitType::PLAIN
};

#[derive(Debug)]
struct ToyRules;

impl UnitRules for ToyRules {
    fn present(&self, doc: &mut Document, parts: NamedParts<'_>) {
        for (name, data) in parts {
            doc.insert(name.clone(), json!(String::from_utf8_lossy(data)));
        }
    }
}

struct Toys;

impl ContentType for Toys {
    fn name(&self) -> &'static str {
        "toys"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        const TYPES: &[UnitType] = &[TOY];
        TYPES
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        Vec::new()
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        Vec::new()
    }
}

const COUNT: u32 = 2_500;

/// A server with a repository `box` that has all toys.
async fn server() -> Server {
    let server = Server::start(vec![Arc::new(Toys)]).await;
    let (status, _) = post(&server, "/pulp/api/v2/repositories/", json!({"id": "box"})).await;
    assert_eq!(status, 201);
    let units: Vec<NewUnit> = (0..COUNT)
        .map(|number| {
            let colour = ["red", "green", "blue"][number as usize % 3];
            let doc = json!({
                "name": format!("toy{:04}", (number * 7919) % COUNT), "id": format!("T{number}"), "colour": colour,
                "weight": if number % 5 == 0 { Value::Null } else { json!(f64::from(number % 17) / 2.0) },
                "parts": [{"kind": "wheel", "size": number % 4}, {"kind": colour}],
            });
            let Value::Object(doc) = doc else { unreachable!() };
            NewUnit {
                type_id: "toy".to_owned(),
                key_digest: UnitKey::of(&TOY, &doc).unwrap().digest(&TOY),
                said: Sha256::of(b"said"),
                site: Sha256([0; 32]),
                doc,
                blob: None,
                size: None,
                downloaded: false,
                parts: vec![("manual".to_owned(), format!("how to {number}").into_bytes())],
            }
        })
        .collect();
    let saved = server.save(&units).await;
    let staged: Vec<(UnitId, &str)> = saved.into_iter().map(|id| (id, "toy")).collect();
    server.fill("box", &staged).await;
    server
}

async fn send(server: &Server, method: &str, path: &str, body: String) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(
            "Authorization",
            format!("Basic {}", STANDARD.encode("admin:admin")),
        )
        .body(Body::from(body))
        .unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

pub(crate) async fn post(server: &Server, path: &str, body: Value) -> (u16, Value) {
    send(server, "POST", path, body.to_string()).await
}

async fn get(server: &Server, path: &str) -> (u16, Value) {
    send(server, "GET", path, String::new()).await
}

const IN_BOX: &str = "/pulp/api/v2/repositories/box/search/units/";
const TOYS: &str = "/pulp/api/v2/content/units/toy/search/";

async fn names(server: &Server, criteria: Value) -> Vec<String> {
    let (status, found) = post(server, TOYS, json!({"criteria": criteria})).await;
    assert_eq!(status, 200, "{found}");
    let found = found.as_array().unwrap().clone();
    found
        .iter()
        .map(|unit| unit["name"].as_str().unwrap().to_owned())
        .collect()
}

fn expected(
    all: &[Value],
    filter: &Value,
    order: impl Fn(&Value, &Value) -> Ordering,
) -> Vec<String> {
    let filter = Filter::parse(filter).unwrap();
    let mut found: Vec<&Value> = all
        .iter()
        .filter(|unit| filter.matches(unit.as_object().unwrap()))
        .collect();
    found.sort_by(|a, b| order(a, b));
    found
        .iter()
        .map(|unit| unit["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_what_filtering_everything_finds() {
    let server = server().await;
    let (_, all) = get(&server, "/pulp/api/v2/content/units/toy/").await;
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), COUNT as usize);
    let filters = [
        json!({}),
        json!({"colour": "red"}),
        json!({"colour": {"$in": ["red", "blue"]}, "weight": {"$gte": 3}}),
        json!({"parts.kind": "green", "name": {"$regex": "^toy1"}}),
        json!({"parts": {"$elemMatch": {"kind": "wheel", "size": 2}}}),
        json!({"weight": null}),
        json!({"manual": "how to 77"}),
        json!({"$or": [{"id": "T5"}, {"name": "toy0000"}]}),
        json!({"name": "toy0000", "colour": {"$ne": "red"}}),
    ];
    for filter in filters {
        let by_name = expected(all, &filter, |a, b| compare(&a["name"], &b["name"]));
        // a plain field: the database sorts
        let sort = json!([["name", "ascending"]]);
        assert_eq!(
            names(&server, json!({"filters": filter, "sort": sort})).await,
            by_name,
            "{filter}"
        );
        // a field that may hold anything: sorted here, with ties broken by name
        let by_weight = expected(all, &filter, |a, b| {
            compare(&b["weight"], &a["weight"]).then_with(|| compare(&a["name"], &b["name"]))
        });
        let sort = json!([["weight", "descending"], ["name", "ascending"]]);
        let page = json!({"filters": filter, "sort": sort, "skip": 3, "limit": 40});
        let wanted: Vec<String> = by_weight.into_iter().skip(3).take(40).collect();
        assert_eq!(names(&server, page).await, wanted, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_without_gap_or_overlap() {
    let server = server().await;
    for filter in [json!({}), json!({"parts.kind": "red"})] {
        let mut seen = Vec::new();
        loop {
            let criteria = json!({"type_ids": ["toy"], "filters": {"unit": filter}, "skip": seen.len(), "limit": 400,
                                  "fields": {"unit": ["name"], "association": []}});
            let (_, page) = post(&server, IN_BOX, json!({"criteria": criteria})).await;
            let page = page.as_array().unwrap();
            seen.extend(
                page.iter()
                    .map(|unit| unit["unit_id"].as_str().unwrap().to_owned()),
            );
            if page.len() < 400 {
                break;
            }
        }
        let mut sorted = seen.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(seen, sorted, "in the order of ids, each once");
        let wanted = if filter == json!({}) {
            COUNT
        } else {
            COUNT.div_ceil(3)
        };
        assert_eq!(seen.len(), wanted as usize);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_families_show_a_unit_in_their_own_form() {
    let server = server().await;
    let one = json!({"filters": {"unit": {"id": "T9"}}});
    let (_, found) = post(&server, IN_BOX, json!({"criteria": one})).await;
    let association = &found[0];
    let unit = &association["metadata"];
    assert_eq!(unit["_ns"], "units_toy");
    assert!(unit["_last_updated"].is_i64());
    assert_eq!(unit["manual"], "how to 9");
    assert_eq!(unit["pulp_user_metadata"], json!({}));
    assert_eq!(unit["downloaded"], false);
    let path = unit["_storage_path"].as_str().unwrap();
    assert!(
        path.starts_with("/var/lib/pulp/content/units/toy/"),
        "{path}"
    );
    assert!(
        path.ends_with(&format!("/{}", unit["name"].as_str().unwrap())),
        "{path}"
    );
    for key in [
        "_id",
        "repo_id",
        "unit_id",
        "unit_type_id",
        "created",
        "updated",
    ] {
        assert!(!association[key].is_null(), "{key}");
    }

    let href = format!(
        "/pulp/api/v2/content/units/toy/{}/",
        unit["_id"].as_str().unwrap()
    );
    let (_, single) = get(&server, &href).await;
    assert_eq!(single["_storage_path"], path);
    assert_eq!(single["manual"], "how to 9");
    assert_eq!(single["children"], json!({}));
    assert!(single["_last_updated"].is_string() && single.get("_ns").is_none());
    assert!(single.get("_href").is_none());

    let body = json!({"criteria": {"filters": {"toy_id": "nothing"}}});
    assert_eq!(post(&server, TOYS, body).await.1, json!([]));
    let body = json!({"criteria": {"filters": {"id": "T9"}, "fields": ["name", "toy_id", "parts.kind"]},
                      "include_repos": true});
    let (_, found) = post(&server, TOYS, body).await;
    let id = &unit["_id"];
    assert_eq!(
        found,
        json!([{"_id": id, "_href": href, "_content_type_id": "toy", "children": {}, "name": unit["name"],
                "toy_id": "T9", "parts": [{"kind": "wheel"}, {"kind": "red"}], "repository_memberships": ["box"]}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_document_has_find_nothing_and_break_nothing() {
    let server = server().await;
    let odd = "x' \"; --\u{fc}";
    let criteria = json!({"filters": {odd: 1}, "fields": [odd], "sort": [[odd, 1]], "limit": 1});
    let (status, found) = post(&server, TOYS, json!({"criteria": criteria})).await;
    assert_eq!((status, found), (200, json!([])));
    let criteria = json!({"fields": [odd, "a.b"], "sort": [[odd, 1]], "limit": 1});
    let (status, found) = post(&server, TOYS, json!({"criteria": criteria})).await;
    assert_eq!((status, found.as_array().map(Vec::len)), (200, Some(1)));
    let search = "/pulp/api/v2/repositories/search/";
    let criteria = json!({"criteria": {"filters": {odd: {"$in": [odd]}}}});
    assert_eq!(post(&server, search, criteria).await, (200, json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn associations_sort_project_and_filter() {
    let server = server().await;
    let criteria = json!({"sort": {"association": [["unit_id", "descending"]]}, "limit": 2, "skip": 1,
                          "fields": {"unit": [], "association": ["created"]}});
    let (_, found) = post(&server, IN_BOX, json!({"criteria": criteria})).await;
    assert!(found[0]["unit_id"].as_str() > found[1]["unit_id"].as_str());
    let keys: Vec<&String> = found[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["_id", "created", "metadata", "unit_id", "unit_type_id"]
    );
    let keys: Vec<&String> = found[0]["metadata"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["_content_type_id", "_id"]);

    let past = json!({"filters": {"association": {"created": {"$lte": "2014-01-01T00:00:00Z"}}}});
    assert_eq!(
        post(&server, IN_BOX, json!({"criteria": past})).await.1,
        json!([])
    );
    let unknown = json!({"fields": {"unit": ["bogus"]}});
    let (status, error) = post(&server, IN_BOX, json!({"criteria": unknown})).await;
    assert_eq!(status, 400);
    let sentence = "Field: <bogus> does not exist on objects in the <units_toy> collection";
    assert_eq!(error["property_names"], json!([sentence]));
    // Of a type that the repository does not have nothing is asked.
    let absent = json!({"type_ids": ["absent"], "fields": {"unit": ["bogus"]}});
    assert_eq!(
        post(&server, IN_BOX, json!({"criteria": absent})).await,
        (200, json!([]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn client_data_of_a_unit_is_replaced_as_a_whole() {
    let server = server().await;
    let (_, found) = post(&server, TOYS, json!({"criteria": {"limit": 1}})).await;
    let path = format!("{}pulp_user_metadata/", found[0]["_href"].as_str().unwrap());
    assert_eq!(get(&server, &path).await, (200, json!({})));
    let data = json!({"a": "ü", "c": [1]});
    assert_eq!(
        send(&server, "PUT", &path, data.to_string()).await,
        (200, Value::Null)
    );
    assert_eq!(get(&server, &path).await, (200, data));
    let unknown = "/pulp/api/v2/content/units/toy/nosuch/pulp_user_metadata/";
    let text = json!("No content unit resource: nosuch");
    assert_eq!(get(&server, unknown).await, (404, text));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_takes_pieces_in_any_order() {
    let server = server().await;
    let uploads = "/pulp/api/v2/content/uploads/";
    let (status, made) = post(&server, uploads, json!({})).await;
    assert_eq!(status, 201);
    let href = made["_href"].as_str().unwrap();
    for (offset, text) in [(3, "def"), (0, "abc")] {
        let piece = send(&server, "PUT", &format!("{href}{offset}/"), text.to_owned()).await;
        assert_eq!(piece, (200, Value::Null));
    }
    let id: uuid::Uuid = made["upload_id"].as_str().unwrap().parse().unwrap();
    let len = server.engine.blobs.uploads().len(id).await.unwrap();
    assert_eq!(len, Some(6));
    for bad in ["x", "-1"] {
        let (status, error) = send(&server, "PUT", &format!("{href}{bad}/"), String::new()).await;
        assert_eq!(
            (status, &error["property_names"]),
            (400, &json!(["offset"]))
        );
    }
    let (status, _) = send(
        &server,
        "PUT",
        &format!("{uploads}nosuch/0/"),
        String::new(),
    )
    .await;
    assert_eq!(status, 404);
    assert_eq!(get(&server, uploads).await.1, json!({"upload_ids": [id]}));
    assert_eq!(
        send(&server, "DELETE", href, String::new()).await,
        (200, Value::Null)
    );
    assert_eq!(
        send(&server, "DELETE", href, String::new()).await,
        (200, Value::Null)
    );
    assert_eq!(get(&server, uploads).await.1, json!({"upload_ids": []}));
}
