//! The command line against a running server: a person's day, by exit code and by what is printed.

use std::path::Path;
use std::process::Command;

use pith_e2e::repodata::{Repodata, sha256};
use pith_e2e::tools::{missing, run, sample_files, sample_repo, wait_for};
use pith_e2e::{Feed, Pith};
use serde_json::{Value, json};

/// A server, and a repository `zoo` that has mirrored the sample.
fn zoo() -> (Pith, Feed) {
    let feed = Feed::of(&sample_repo()).unwrap();
    let server = Pith::start().unwrap();
    let create = format!(
        "rpm repo create zoo --serve-http true --relative-url zoo --feed {}",
        feed.url("/feed/")
    );
    server.client(&create).unwrap().done().unwrap();
    let synced = server.client("rpm repo sync run zoo").unwrap();
    let text = synced.done().unwrap();
    assert!(text.contains("sync of zoo: 12 added"), "{text}");
    (server, feed)
}

fn names(found: &Value) -> Vec<String> {
    let units = found.as_array().unwrap().iter();
    let mut names: Vec<String> = units
        .map(|unit| unit["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn content_is_copied_with_what_it_needs_removed_and_its_orphans_go() {
    let (server, _feed) = zoo();
    let pith = |line: &str| server.client(line).unwrap();
    pith("rpm repo create park").done().unwrap();
    let copy = "rpm repo copy rpm -f zoo -t park --str-eq name=greet --gte version=1.2";
    let dry = pith(&format!("{copy} --dry-run --json")).json().unwrap();
    assert_eq!(names(&dry), ["greet"]);
    let copied = pith(&format!("{copy} --recursive")).done().unwrap();
    assert_eq!(copied, "copy between park and zoo: 2 rpm\n");
    let content = pith("rpm repo content rpm park --json").json().unwrap();
    assert_eq!(names(&content), ["greet", "greet-messages"]);
    pith("rpm repo copy all -f zoo -t park").done().unwrap();
    pith("rpm repo publish run park").done().unwrap();
    let count = |line: &str| pith(line).json().unwrap().as_array().unwrap().len();
    assert_eq!(count("rpm repo content rpm park --json"), 10);
    assert_eq!(count("rpm repo content errata park --json"), 1);

    let removed = pith("rpm repo remove rpm park --match name=^greet")
        .done()
        .unwrap();
    assert_eq!(removed, "removal from park: 3 rpm\n");
    assert_eq!(pith("orphan list").done().unwrap(), "no orphans\n");
    for repo in ["park", "zoo"] {
        pith(&format!("rpm repo remove rpm {repo} --str-eq name=greet"))
            .done()
            .unwrap();
    }
    let orphans = pith("orphan list --json").json().unwrap();
    assert_eq!(orphans["rpm"]["count"], 2);
    let removed = pith("orphan remove --type rpm").done().unwrap();
    assert_eq!(removed, "remove orphans: 2\n");
    assert_eq!(pith("orphan list").done().unwrap(), "no orphans\n");

    let history = pith("rpm repo sync history zoo --json").json().unwrap();
    assert_eq!(history[0]["added_count"], 12);
    let publishes = pith("repo history publish zoo --json").json().unwrap();
    assert_eq!(publishes[0]["distributor_id"], "yum_distributor");
    let lately = pith("history --repo-id zoo").done().unwrap();
    assert!(lately.contains("sync of zoo"), "{lately}");
    pith("repo delete park").done().unwrap();
    assert_eq!(pith("repo show park").code, Some(3));
}

#[test]
fn files_and_metadata_are_uploaded() {
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    pith("rpm repo create up").done().unwrap();
    pith("iso repo create files").done().unwrap();
    let package = sample_repo().join("greet-1.2-1.noarch.rpm");
    let package = format!(
        "rpm repo uploads rpm --repo-id up {}",
        package.to_str().unwrap()
    );
    let sent = pith(&package).done().unwrap();
    assert_eq!(sent, "import upload of up: done\n");
    let folder = format!(
        "rpm repo uploads upload --repo-id up --dir {}",
        sample_repo().to_str().unwrap()
    );
    pith(&folder).done().unwrap();
    let erratum =
        "rpm repo uploads erratum --repo-id up --erratum-id E-1 --title T --type security";
    pith(erratum).done().unwrap();
    let group = "rpm repo uploads group --repo-id up --group-id g --name G --mand-name greet";
    pith(group).done().unwrap();
    let repository = pith("repo show up --json").json().unwrap();
    assert_eq!(
        repository["content_unit_counts"],
        json!({"rpm": 10, "erratum": 1, "package_group": 1})
    );
    let file = std::fs::read_dir(sample_files())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| !path.ends_with("PULP_MANIFEST"))
        .unwrap();
    let upload = format!(
        "iso repo uploads upload --repo-id files {}",
        file.to_str().unwrap()
    );
    pith(&upload).done().unwrap();
    let isos = pith("iso repo isos files --json").json().unwrap();
    assert_eq!(names(&isos), [file.file_name().unwrap().to_str().unwrap()]);
    assert_eq!(
        pith("iso repo uploads list").done().unwrap(),
        "no uploads\n"
    );
    assert_eq!(
        pith("iso repo uploads resume").done().unwrap(),
        "no upload of this machine waits to go on\n"
    );
}

#[test]
fn a_delta_package_is_uploaded_and_published_as_its_maker_describes_it() {
    if missing(&["makedeltarpm", "applydeltarpm"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let delta = folder.path().join("any-name.drpm");
    let package = |version: &str| sample_repo().join(format!("greet-{version}-1.noarch.rpm"));
    let mut make = Command::new("makedeltarpm");
    run(make.arg(package("1.0")).arg(package("1.2")).arg(&delta)).unwrap();
    let said = run(Command::new("applydeltarpm").arg("-i").arg(&delta)).unwrap();
    let sequence = said
        .lines()
        .find_map(|line| line.strip_prefix("sequence: "));

    let server = Pith::start().unwrap();
    let pith = |line: String| server.client(&line).unwrap();
    pith("rpm repo create up --serve-http true --relative-url up".to_owned())
        .done()
        .unwrap();
    let upload = |path: &Path| {
        let path = path.to_str().unwrap();
        pith(format!("rpm repo uploads drpm --repo-id up {path}"))
    };
    upload(&delta).done().unwrap();
    let whole = folder.path().join("whole.drpm");
    std::fs::copy(package("1.0"), &whole).unwrap();
    let refused = upload(&whole);
    assert_ne!(
        refused.code,
        Some(0),
        "a package without a delta is no delta"
    );
    assert!(refused.err.contains("RPM1016"), "{}", refused.err);
    pith("rpm repo publish run up".to_owned()).done().unwrap();

    let api = server.api().unwrap();
    let repodata = Repodata::read(|path| api.download(&format!("/pulp/repos/up/{path}"))).unwrap();
    let listed = repodata.document("prestodelta").unwrap();
    let package = listed.child("newpackage").unwrap();
    assert_eq!(package.attribute("version"), "1.2");
    let listed = package.child("delta").unwrap();
    assert_eq!(listed.attribute("oldversion"), "1.0");
    let text = |name: &str| listed.child(name).unwrap().text.trim().to_owned();
    assert_eq!(Some(&*text("sequence")), sequence);
    let path = text("filename");
    assert_eq!(path, "drpms/greet-1.0-1_1.2-1.noarch.drpm");
    let served = api.download(&format!("/pulp/repos/up/{path}")).unwrap();
    assert_eq!(served, std::fs::read(&delta).unwrap());
    assert_eq!(text("checksum"), sha256(&served));
}

#[test]
fn schedules_are_made_changed_and_removed() {
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    pith("rpm repo create zoo").done().unwrap();
    for action in ["sync", "publish"] {
        let at = format!("rpm repo {action} schedules");
        let create = format!("{at} create zoo -s 2099-01-01T00:00:00Z/P1D --json");
        let schedule = pith(&create).json().unwrap();
        let id = schedule["_id"].as_str().unwrap();
        let next = pith(&format!("{at} next zoo")).done().unwrap();
        assert!(next.starts_with("next run at 2099-01-01"), "{next}");
        let off = format!("{at} update zoo --schedule-id {id} --enabled false");
        pith(&off).done().unwrap();
        let all = pith(&format!("{at} list zoo --json")).json().unwrap();
        assert_eq!(all[0]["enabled"], false);
        let next = pith(&format!("{at} next zoo")).done().unwrap();
        assert_eq!(next, "no schedule is on\n");
        pith(&format!("{at} delete zoo --schedule-id {id}"))
            .done()
            .unwrap();
        let all = pith(&format!("{at} list zoo --json")).json().unwrap();
        assert_eq!(all, json!([]));
    }
    assert_eq!(pith("rpm repo sync schedules list nowhere").code, Some(3));
    let wrong = pith("rpm repo sync schedules create zoo -s daily");
    assert_eq!(wrong.code, Some(6), "{}", wrong.err);
    assert!(wrong.err.contains("hint:"), "{}", wrong.err);
}

#[test]
fn people_get_roles_and_permissions_and_nothing_else() {
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    let eve = |line: &str| server.client_as("eve", "secret-of-eve", line).unwrap();
    let create = "auth user create --login eve --name Eve --new-password secret-of-eve";
    pith(create).done().unwrap();
    assert_eq!(pith(create).code, Some(6), "the login is taken");
    assert_eq!(eve("repo list").code, Some(4));

    let grant = "auth permission grant --resource /v2/repositories/ -o read";
    pith(&format!("{grant} --login eve")).done().unwrap();
    eve("repo list").done().unwrap();
    let revoke = "auth permission revoke --resource /v2/repositories/ -o read --login eve";
    pith(revoke).done().unwrap();
    assert_eq!(eve("repo list").code, Some(4));

    pith("auth role create --role-id readers").done().unwrap();
    pith(&format!("{grant} --role-id readers")).done().unwrap();
    pith("auth role user add --role-id readers --login eve")
        .done()
        .unwrap();
    eve("repo list").done().unwrap();
    let found = pith("auth user search --str-eq login=eve --json")
        .json()
        .unwrap();
    assert_eq!(found[0]["roles"], json!(["readers"]));
    pith("auth role user remove --role-id readers --login eve")
        .done()
        .unwrap();
    assert_eq!(eve("repo list").code, Some(4));
    pith("auth user update eve --new-password other-secret")
        .done()
        .unwrap();
    assert_eq!(eve("status").code, Some(0), "the status is everybody's");
    assert_eq!(eve("task list").code, Some(4));
    pith("auth role delete readers").done().unwrap();
    pith("auth user delete eve").done().unwrap();
    let left = pith("auth user list --json").json().unwrap();
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[test]
fn tasks_are_found_and_forgotten_and_what_was_left_for_later_is_fetched() {
    let feed = Feed::of(&sample_repo()).unwrap();
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    let create = format!(
        "rpm repo create later --download-policy on_demand --feed {}",
        feed.url("/feed/")
    );
    pith(&create).done().unwrap();
    pith("rpm repo sync run later").done().unwrap();
    let repository = pith("repo show later --json").json().unwrap();
    assert_eq!(repository["locally_stored_units"], 2);
    pith("rpm repo download later").done().unwrap();
    pith("repo download later --verify-all").done().unwrap();
    let repository = pith("repo show later --json").json().unwrap();
    assert_eq!(repository["locally_stored_units"], 12);
    pith("content sources list").done().unwrap();
    pith("content sources refresh").done().unwrap();
    assert_eq!(pith("content sources show nothing").code, Some(3));

    let search = "task search --str-eq state=finished --sort finish_time:desc --json";
    let found = pith(search).json().unwrap();
    assert!(found.as_array().unwrap().len() >= 4, "{found:#}");
    let tasks = pith("repo tasks later --all").done().unwrap();
    assert!(tasks.contains("sync of later"), "{tasks}");
    pith("task purge --state finished").done().unwrap();
    assert_eq!(pith(search).json().unwrap(), json!([]));
}

#[test]
fn an_upload_whose_client_was_killed_goes_on() {
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    pith("iso repo create files").done().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("big.iso");
    let bytes: Vec<u8> = (0..80_u32 << 20).map(|n| (n % 251) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    let upload = format!(
        "iso repo uploads upload --repo-id files {}",
        file.to_str().unwrap()
    );
    let mut client = server.start_client(&upload).unwrap();
    let notes = server.home().join(".local/state/pith/uploads");
    wait_for("the upload to begin", || {
        let mut entries = std::fs::read_dir(&notes).into_iter().flatten().flatten();
        let begun = entries.any(|entry| entry.path().extension().is_some_and(|e| e == "json"));
        let over = client.try_wait()?.is_some();
        Ok((begun || over).then_some(()))
    })
    .unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    // A client that was faster than this test has nothing to resume, and that is as good.
    pith("iso repo uploads resume").done().unwrap();
    let isos = pith("iso repo isos files --json").json().unwrap();
    assert_eq!(names(&isos), ["big.iso"]);
    assert_eq!(isos[0]["metadata"]["size"], bytes.len());
    assert_eq!(
        pith("iso repo uploads list").done().unwrap(),
        "no uploads\n"
    );
}

#[test]
fn a_repository_is_put_together_from_its_parts() {
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    pith("rpm repo create parts").done().unwrap();
    let add = "repo distributor create parts --type yum_distributor --distributor-id second";
    pith(&format!(
        "{add} --config={{\"relative_url\":\"second\",\"http\":true,\"https\":false}}"
    ))
    .done()
    .unwrap();
    pith("repo distributor update parts --distributor-id second --auto-publish true")
        .done()
        .unwrap();
    let one = pith("repo distributor show parts --distributor-id second --json")
        .json()
        .unwrap();
    assert_eq!(one["auto_publish"], true);
    pith("rpm repo publish run parts --distributor-id second")
        .done()
        .unwrap();
    pith("repo distributor delete parts --distributor-id second")
        .done()
        .unwrap();
    pith("repo importer update parts --importer-id yum_importer --config={\"max_downloads\":2}")
        .done()
        .unwrap();
    let importers = pith("repo importer list parts --json").json().unwrap();
    assert_eq!(importers[0]["config"]["max_downloads"], 2);
    let types = pith("server types").done().unwrap();
    assert!(types.contains("modulemd_defaults"), "{types}");
    pith("repo applicability --repo-id parts").done().unwrap();
}

#[test]
fn every_kind_of_metadata_that_can_be_uploaded_is_taken() {
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    pith("rpm repo create up").done().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let comps = file(
        "comps.xml",
        "<comps><group><id>tools</id><name>Tools</name><packagelist>\
         <packagereq type='mandatory'>greet</packagereq></packagelist></group></comps>",
    );
    let modules = file(
        "modules.yaml",
        "---\ndocument: modulemd\nversion: 2\ndata:\n  name: walrus\n  stream: \"5\"\n  version: 1\n  \
         context: c0ffee\n  arch: noarch\n  summary: S\n  description: D\n  license:\n    module: [MIT]\n...\n",
    );
    let product = file("productid", "id");
    let packages = file(
        "packages.csv",
        "greet,1.2,1,0,noarch,greet-1.2-1.noarch.rpm,aa,sha256,greet.src.rpm\n",
    );
    for what in [
        format!("erratum --erratum-id E --title T --type bugfix --pkglist-csv {packages}"),
        "category --category-id c --name C --group tools".into(),
        "environment --environment-id e --name E --group tools --default-option tools".into(),
        "langpacks --langpack firefox=firefox-langpack-%s".into(),
        format!("comps {comps}"),
        format!("module {modules}"),
        format!("metafile --data-type productid {product}"),
    ] {
        pith(&format!("rpm repo uploads {what} --repo-id up"))
            .done()
            .unwrap();
    }
    let repository = pith("repo show up --json").json().unwrap();
    assert_eq!(
        repository["content_unit_counts"],
        json!({"erratum": 1, "package_category": 1, "package_environment": 1, "package_group": 1,
               "package_langpacks": 1, "modulemd": 1, "yum_repo_metadata_file": 1})
    );
    pith("rpm repo publish run up").done().unwrap();
}

#[test]
fn repositories_are_grouped() {
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    for id in ["one", "two", "other"] {
        pith(&format!("rpm repo create {id}")).done().unwrap();
    }
    let create = "repo group create g --display-name G --note team=a --repo-id one";
    pith(create).done().unwrap();
    assert_eq!(pith(create).code, Some(6), "the id is taken");
    let members = |line: &str| {
        pith(&format!("repo group members {line} --json"))
            .json()
            .unwrap()
    };
    assert_eq!(members("list g"), json!(["one"]));
    assert_eq!(members("add g --match id=^t"), json!(["one", "two"]));
    assert_eq!(members("remove g --repo-id one"), json!(["two"]));
    assert_eq!(pith("repo group members add g").code, Some(2));
    pith("repo group update g --description D --note team=")
        .done()
        .unwrap();
    let found = pith("repo group search --str-eq id=g --json")
        .json()
        .unwrap();
    assert_eq!(found[0]["description"], "D");
    assert_eq!(found[0]["notes"], json!({}));
    let publish = pith("repo group publish g --distributor-id nothing");
    assert_eq!(publish.code, Some(1), "{}", publish.err);
    assert!(
        publish.err.contains("publish of group g"),
        "{}",
        publish.err
    );
    pith("repo group delete g").done().unwrap();
    let gone = pith("repo group show g");
    assert_eq!(gone.code, Some(3));
    assert!(gone.err.contains("`pith repo group list`"), "{}", gone.err);
}
