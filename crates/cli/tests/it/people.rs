//! Users, roles and permissions.

use serde_json::{Value, json};

use crate::fake::{Fake, PASSWORD, Scripted, pith, pith_args, run_with};

#[tokio::test]
async fn a_new_user_sends_what_pulp_admin_sends() {
    let fake = Fake::start().await;
    fake.on("POST users", 201, json!({"login": "eve"}));
    let args = ["auth", "user", "create", "--login", "eve", "--name", "Eve"];
    let mut all = vec!["--url", &fake.url, "--user", "admin", "--password", "x"];
    all.extend(args);
    // The second question is answered by nobody: no user is made with half a password.
    let half = Scripted {
        line: None,
        secret: Some(PASSWORD.into()),
    };
    assert_eq!(run_with(&all, None, half).await.exit.code(), 2);
    let with_password = [&args[..], &["--new-password", PASSWORD]].concat();
    let ran = pith_args(&fake.url, &with_password).await;
    assert_eq!(ran.out, "added user eve\n");
    assert_eq!(
        fake.body("POST users"),
        json!({"login": "eve", "name": "Eve", "password": PASSWORD})
    );
}

#[tokio::test]
async fn a_user_is_changed_found_and_removed() {
    let fake = Fake::start().await;
    let user = json!({"login": "eve", "name": "Eve", "roles": ["r"], "_id": {"$oid": "x"}});
    fake.on("PUT users/eve", 200, user.clone())
        .on("GET users", 200, json!([user]))
        .on("POST users/search", 200, json!([user]))
        .on("DELETE users/eve", 200, Value::Null);
    pith(
        &fake.url,
        "auth user update --login eve --name E --role a --role b",
    )
    .await;
    assert_eq!(
        fake.body("PUT users/eve"),
        json!({"delta": {"name": "E", "roles": ["a", "b"]}})
    );
    assert_eq!(pith(&fake.url, "auth user update eve").await.exit.code(), 2);
    let ran = pith(&fake.url, "auth user list").await;
    insta::assert_snapshot!(ran.out, @r"
    LOGIN  NAME  ROLES
    eve    Eve   r
    ");
    let line = "auth user search --match login=^e --fields login --limit 1 --skip 0 --sort login";
    let ran = pith(&fake.url, line).await;
    insta::assert_snapshot!(ran.out, @r"
    LOGIN
    eve
    ");
    assert_eq!(
        fake.body("POST users/search"),
        json!({"criteria": {"filters": {"login": {"$regex": "^e"}}, "fields": ["login"],
                            "limit": 1, "skip": 0, "sort": [["login", "ascending"]]}})
    );
    let ran = pith(&fake.url, "auth user delete eve").await;
    assert_eq!(ran.out, "removed user eve\n");
}

#[tokio::test]
async fn roles_and_their_users_are_changed() {
    let fake = Fake::start().await;
    fake.on("POST roles", 201, json!({"id": "r"}))
        .on("PUT roles/r", 200, json!({"id": "r"}))
        .on("POST roles/r/users", 200, Value::Null)
        .on("DELETE roles/r/users/eve", 200, Value::Null)
        .on("DELETE roles/r", 200, Value::Null);
    pith(&fake.url, "auth role create --role-id r --display-name R").await;
    assert_eq!(
        fake.body("POST roles"),
        json!({"role_id": "r", "display_name": "R", "description": null})
    );
    pith(&fake.url, "auth role update r --description D").await;
    assert_eq!(
        fake.body("PUT roles/r"),
        json!({"delta": {"description": "D"}})
    );
    pith(&fake.url, "auth role user add --role-id r --login eve").await;
    assert_eq!(fake.body("POST roles/r/users"), json!({"login": "eve"}));
    let ran = pith(&fake.url, "auth role user remove r --login eve").await;
    assert_eq!(ran.out, "eve has the role r no more\n");
    assert_eq!(pith(&fake.url, "auth role delete r").await.exit.code(), 0);
}

#[tokio::test]
async fn permissions_are_granted_to_users_and_roles_and_revoked() {
    let fake = Fake::start().await;
    for action in ["grant_to_user", "grant_to_role", "revoke_from_user"] {
        let route = format!("POST permissions/actions/{action}");
        fake.on(&route, 200, Value::Null);
    }
    fake.on(
        "GET permissions",
        200,
        json!([{"resource": "/v2/repositories/", "users": {"eve": ["READ", null]}}]),
    );
    let grant = "auth permission grant --resource /v2/repositories/ -o read -o UPDATE";
    let ran = pith(&fake.url, &format!("{grant} --login eve")).await;
    assert_eq!(
        ran.out,
        "granted READ, UPDATE on /v2/repositories/: user eve\n"
    );
    assert_eq!(
        fake.body("POST permissions/actions/grant_to_user"),
        json!({"login": "eve", "resource": "/v2/repositories/", "operations": ["READ", "UPDATE"]})
    );
    pith(&fake.url, &format!("{grant} --role-id r")).await;
    assert_eq!(
        fake.body("POST permissions/actions/grant_to_role")["role_id"],
        "r"
    );
    let line = "auth permission revoke --resource /v2/repositories/ -o read --login eve";
    pith(&fake.url, line).await;
    assert_eq!(
        fake.body("POST permissions/actions/revoke_from_user")["operations"],
        json!(["READ"])
    );
    let line = "auth permission grant --resource /repositories -o read --login eve";
    assert_eq!(pith(&fake.url, line).await.exit.code(), 2);
    let ran = pith(
        &fake.url,
        "auth permission list --resource /v2/repositories/",
    )
    .await;
    assert_eq!(
        fake.lines().last().unwrap(),
        "GET permissions?resource=%2Fv2%2Frepositories%2F"
    );
    insta::assert_snapshot!(ran.out, @r"
    RESOURCE           USER  MAY
    /v2/repositories/  eve   READ, -
    ");
}
