//! comps.xml: groups, categories, environments and language packs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;

use pith_content::Bent;
use serde::{Deserialize, Serialize};

use super::limits::{COMPS, Room, Sum};
use super::odd::Odd;
use super::xml::{Children, Element};
use super::{MetadataError, unless_broken};

/// `display_order` when nothing is said.
pub const DEFAULT_ORDER: i64 = 1024;

/// Translations by language.
pub type Translations = BTreeMap<String, String>;

/// A group; the serialised form with `repo_id` is the unit's document (pulp2/rpm-units#groups).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// Identity within the repository.
    pub id: String,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Is true when installers choose it unasked.
    pub default: bool,
    /// Is true when people see it.
    pub user_visible: bool,
    /// The place in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_order: Option<i64>,
    /// The language it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub langonly: Option<String>,
    /// Packages it cannot be without.
    pub mandatory_package_names: Vec<String>,
    /// Packages it has by default.
    pub default_package_names: Vec<String>,
    /// Packages it may have.
    pub optional_package_names: Vec<String>,
    /// Packages that come when another is there: package and condition.
    pub conditional_package_names: Vec<(String, String)>,
    /// Name by language.
    pub translated_name: Translations,
    /// Description by language.
    pub translated_description: Translations,
}

/// A category (pulp2/rpm-units#groups).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Category {
    /// Identity within the repository.
    pub id: String,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The place in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_order: Option<i64>,
    /// Its groups.
    pub packagegroupids: Vec<String>,
    /// Name by language.
    pub translated_name: Translations,
    /// Description by language.
    pub translated_description: Translations,
}

/// An optional group of an environment. `default` is false, or the attribute's text (pulp2/rpm-units#environments).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentOption {
    /// The group.
    pub group: String,
    /// Is true when it is chosen unasked.
    #[serde(default)]
    pub default: serde_json::Value,
}

/// An environment (pulp2/rpm-units#environments).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Identity within the repository.
    pub id: String,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The place in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_order: Option<i64>,
    /// Its groups.
    pub group_ids: Vec<String>,
    /// Its optional groups.
    pub options: Vec<EnvironmentOption>,
    /// Name by language.
    pub translated_name: Translations,
    /// Description by language.
    pub translated_description: Translations,
}

/// A rule of language packs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The name of the package that is installed, with a place for the language.
    pub install: String,
    /// The package that wants it.
    pub name: String,
}

/// One element of comps.xml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comps {
    /// `<group>`.
    Group(Group),
    /// `<category>`.
    Category(Category),
    /// `<environment>`.
    Environment(Environment),
    /// `<langpacks>`.
    Langpacks(Vec<Match>),
}

/// A comps document, element by element.
struct CompsStream<R> {
    children: Children<R>,
    odd: Odd,
    count: Sum,
}

impl<R: BufRead> CompsStream<R> {
    fn open(input: R) -> Result<Self, MetadataError> {
        Ok(Self {
            children: Children::open(input, "comps")?,
            odd: Odd::default(),
            count: Sum::new("number of groups, categories and environments", COMPS),
        })
    }

    fn noting(mut self, bent: &Bent) -> Self {
        self.odd = Odd::new(bent);
        self
    }

    /// The next element that has an id, or needs none; `None` after the last.
    fn next_element(&mut self) -> Result<Option<Element>, MetadataError> {
        while let Some(child) = self.children.next_child()? {
            self.count.add(1)?;
            let id = child.text_of("id").unwrap_or_default();
            let what = format!("{} {id}", child.name);
            self.odd.bytes(self.children.replaced(), what.trim_end());
            if id.is_empty() && ["group", "category", "environment"].contains(&child.name.as_str())
            {
                let name = child.text_of("name").unwrap_or_default();
                self.odd
                    .left_out(&format!("a {} without an id, '{name}'", child.name));
                continue;
            }
            return Ok(Some(child));
        }
        Ok(None)
    }
}

/// Returns what an element of comps means; `None` when that is nothing that is known here.
fn understood(element: &Element) -> Option<Comps> {
    Some(match element.name.as_str() {
        "group" => Comps::Group(group(element)),
        "category" => Comps::Category(category(element)),
        "environment" => Comps::Environment(environment(element)),
        "langpacks" => Comps::Langpacks(
            element
                .all("match")
                .map(|m| Match {
                    install: m.attr("install").unwrap_or_default().to_owned(),
                    name: m.attr("name").unwrap_or_default().to_owned(),
                })
                .collect(),
        ),
        _ => return None,
    })
}

/// Shows `take` each element of a comps document. Elements of one kind and id are one, as dnf joins them. A document that
/// is broken somewhere is read up to there; the answer is the fault.
///
/// # Errors
/// When it is something else, or what `take` fails with.
pub fn each<R: BufRead>(
    open: impl Fn() -> Result<R, MetadataError>,
    bent: &Bent,
    mut take: impl FnMut(Comps) -> Result<(), MetadataError>,
) -> Result<Option<MetadataError>, MetadataError> {
    let state = RandomState::new();
    let identity = |element: &Element| {
        let id = element.text_of("id").unwrap_or_default();
        state.hash_one((element.name.as_str(), id))
    };
    let mut several: HashMap<u64, Joining> = HashMap::new();
    let mut first = CompsStream::open(open()?)?;
    // Where it is broken is told when it is read again.
    while let Some(element) = unless_broken(first.next_element())? {
        several.entry(identity(&element)).or_default().left += 1;
    }
    several.retain(|_, joining| joining.left > 1);
    let mut stream = CompsStream::open(open()?)?.noting(bent);
    // Elements that wait for others are in memory all at once.
    let mut held = Room::default();
    loop {
        let element = match stream.next_element() {
            Ok(Some(element)) => element,
            Ok(None) => return Ok(None),
            Err(error) if error.is_broken_text() => return Ok(Some(error)),
            Err(error) => return Err(error),
        };
        let element = match several.get_mut(&identity(&element)) {
            None => element,
            Some(joining) => match joining.add(element, stream.children.room(), &mut held)? {
                None => continue,
                Some(whole) => {
                    let sentence =
                        "elements of comps with one id were joined, as clients join them";
                    let id = whole.text_of("id").unwrap_or_default();
                    bent.note(
                        "comps_twice",
                        sentence,
                        format!("{} {id}", whole.name).trim(),
                    );
                    whole
                }
            },
        };
        understood(&element).map_or(Ok(()), &mut take)?;
    }
}

/// Elements of one kind and id that become one.
#[derive(Default)]
struct Joining {
    /// Those that are still to come.
    left: usize,
    so_far: Option<Box<(Element, Room)>>,
}

impl Joining {
    /// Adds the next one, which took `room`; answers the whole with the last. What waits is counted in `held`.
    fn add(
        &mut self,
        element: Element,
        room: &Room,
        held: &mut Room,
    ) -> Result<Option<Element>, MetadataError> {
        self.left -= 1;
        held.add(room)?;
        let (joined, room) = match self.so_far.take().map(|earlier| *earlier) {
            None => (element, room.clone()),
            Some((earlier, mut all)) => {
                all.add(room)?;
                (join(earlier, element), all)
            }
        };
        if self.left == 0 {
            held.give_back(&room);
            return Ok(Some(joined));
        }
        self.so_far = Some(Box::new((joined, room)));
        Ok(None)
    }
}

/// Children that an element has once: of two the later one counts. Of names and descriptions it does so by language.
const ONCE: [&str; 6] = [
    "id",
    "default",
    "uservisible",
    "display_order",
    "langonly",
    "biarchonly",
];

/// Joins two elements of one id: what the later one says replaces what the earlier one says about the same thing.
fn join(mut earlier: Element, later: Element) -> Element {
    let names = |list: &Element| -> Vec<(String, Option<String>)> {
        let entries = list.children.iter();
        let entry = |e: &Element| (e.text.trim().to_owned(), e.attr("name").map(str::to_owned));
        entries.map(entry).collect()
    };
    let mut said: HashSet<(String, Option<String>)> =
        later.children.iter().flat_map(names).collect();
    let matches = later
        .all("match")
        .map(|m| m.attr("name").map(str::to_owned));
    said.extend(matches.map(|name| (String::new(), name)));
    let again = |entry: &Element| {
        let name = entry.attr("name").map(str::to_owned);
        said.contains(&(entry.text.trim().to_owned(), name))
    };
    earlier.children.retain(|child| {
        let once = ONCE.contains(&child.name.as_str());
        let replaced = once && later.child(&child.name).is_some();
        !(replaced || child.name == "match" && again(child))
    });
    for list in &mut earlier.children {
        if ["packagelist", "grouplist", "optionlist"].contains(&list.name.as_str()) {
            list.children.retain(|entry| !again(entry));
        }
    }
    earlier.children.extend(later.children);
    earlier
}

/// The fields that groups, categories and environments share.
struct Common {
    id: String,
    name: Option<String>,
    description: Option<String>,
    display_order: Option<i64>,
    translated_name: Translations,
    translated_description: Translations,
}

fn common(element: &Element) -> Common {
    let (name, translated_name) = translated(element, "name");
    let (description, translated_description) = translated(element, "description");
    let order = element.text_of("display_order");
    Common {
        id: element.text_of("id").unwrap_or_default().to_owned(),
        name,
        description,
        display_order: Some(order.and_then(|t| t.parse().ok()).unwrap_or(DEFAULT_ORDER)),
        translated_name,
        translated_description,
    }
}

fn translated(element: &Element, name: &str) -> (Option<String>, Translations) {
    let mut plain = None;
    let mut translations = Translations::new();
    for child in element.all(name) {
        let text = child.text.trim().to_owned();
        match child.attr("xml:lang") {
            Some(language) => {
                translations.insert(language.to_owned(), text);
            }
            None if !text.is_empty() => plain = Some(text),
            None => {}
        }
    }
    (plain, translations)
}

fn group(element: &Element) -> Group {
    let common = common(element);
    let truth = |name: &str| {
        element
            .text_of(name)
            .map(|t| t.eq_ignore_ascii_case("true"))
    };
    let mut group = Group {
        id: common.id,
        name: common.name,
        description: common.description,
        default: truth("default").unwrap_or(false),
        user_visible: truth("uservisible").unwrap_or(true),
        display_order: common.display_order,
        langonly: element.text_of("langonly").map(str::to_owned),
        translated_name: common.translated_name,
        translated_description: common.translated_description,
        ..Group::default()
    };
    for request in element.all("packagelist").flat_map(|l| l.all("packagereq")) {
        let name = request.text.trim().to_owned();
        if name.is_empty() {
            continue;
        }
        match request.attr("type").unwrap_or("mandatory") {
            "default" => group.default_package_names.push(name),
            "optional" => group.optional_package_names.push(name),
            "conditional" => group.conditional_package_names.push((
                name,
                request.attr("requires").unwrap_or_default().to_owned(),
            )),
            _ => group.mandatory_package_names.push(name),
        }
    }
    group
}

fn group_ids(element: &Element, list: &str) -> Vec<String> {
    element
        .all(list)
        .flat_map(|l| l.all("groupid"))
        .map(|g| g.text.trim().to_owned())
        .collect()
}

fn category(element: &Element) -> Category {
    let common = common(element);
    Category {
        id: common.id,
        name: common.name,
        description: common.description,
        display_order: common.display_order,
        packagegroupids: group_ids(element, "grouplist"),
        translated_name: common.translated_name,
        translated_description: common.translated_description,
    }
}

fn environment(element: &Element) -> Environment {
    let common = common(element);
    let options = element
        .all("optionlist")
        .flat_map(|l| l.all("groupid"))
        .map(|g| EnvironmentOption {
            group: g.text.trim().to_owned(),
            default: g.attr("default").map_or(false.into(), Into::into),
        })
        .collect();
    Environment {
        id: common.id,
        name: common.name,
        description: common.description,
        display_order: common.display_order,
        group_ids: group_ids(element, "grouplist"),
        options,
        translated_name: common.translated_name,
        translated_description: common.translated_description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::comps_writer::CompsWriter;

    const SOURCE: &str = r#"<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
 <group><id>g</id><default>true</default><uservisible>false</uservisible><display_order>7</display_order>
  <name>G</name><name xml:lang="de">Ge</name><description>D &amp; d</description>
  <packagelist><packagereq type="mandatory">a</packagereq><packagereq>b</packagereq>
   <packagereq type="default">c</packagereq><packagereq type="optional">d</packagereq>
   <packagereq type="conditional" requires="x">e</packagereq></packagelist></group>
 <category><id>c</id><display_order>99</display_order><name>C</name><description/>
  <grouplist><groupid>g</groupid></grouplist></category>
 <environment><id>e</id><display_order>1</display_order><name>E</name><description>x</description>
  <grouplist><groupid>g</groupid></grouplist>
  <optionlist><groupid default="true">o</groupid><groupid>p</groupid></optionlist></environment>
 <langpacks><match install="l-%s" name="l"/></langpacks>
</comps>"#;

    fn read(bytes: &[u8]) -> Vec<Comps> {
        let mut all = Vec::new();
        let take = |comps| {
            all.push(comps);
            Ok(())
        };
        assert!(
            each(|| Ok(bytes), &Bent::default(), take)
                .unwrap()
                .is_none()
        );
        all
    }

    #[test]
    fn elements_of_one_id_become_one_as_dnf_makes_them() {
        let all = read(
            br#"<comps>
 <group><id>g</id><name>First</name><name xml:lang="de">E</name><description>d</description><uservisible>false</uservisible>
  <packagelist><packagereq>a</packagereq><packagereq type="optional">b</packagereq></packagelist></group>
 <category><id>g</id><grouplist><groupid>x</groupid></grouplist></category>
 <langpacks><match install="l-%s" name="l"/><match install="k-%s" name="k"/></langpacks>
 <group><id>g</id><name>Second</name>
  <packagelist><packagereq type="optional">a</packagereq><packagereq type="default">c</packagereq></packagelist></group>
 <category><id>g</id><grouplist><groupid>y</groupid><groupid>x</groupid></grouplist></category>
 <langpacks><match install="new-%s" name="l"/></langpacks>
</comps>"#,
        );
        let [
            Comps::Group(group),
            Comps::Category(category),
            Comps::Langpacks(matches),
        ] = &all[..]
        else {
            panic!("{all:?}");
        };
        assert_eq!(group.name.as_deref(), Some("Second"));
        assert_eq!(group.description.as_deref(), Some("d"));
        assert_eq!(group.translated_name["de"], "E");
        assert!(!group.user_visible && group.mandatory_package_names.is_empty());
        assert_eq!(group.optional_package_names, ["b", "a"]);
        assert_eq!(group.default_package_names, ["c"]);
        assert_eq!(category.packagegroupids, ["y", "x"]);
        let installs: Vec<&str> = matches.iter().map(|m| m.install.as_str()).collect();
        assert_eq!(installs, ["k-%s", "new-%s"]);
    }

    #[test]
    fn comps_survive_writing_and_reading() {
        let read_once = read(SOURCE.as_bytes());
        assert_eq!(read_once.len(), 4);
        let mut bytes = Vec::new();
        let mut writer = CompsWriter::new(&mut bytes).unwrap();
        for comps in &read_once {
            match comps {
                Comps::Group(group) => writer.group(group),
                Comps::Category(category) => writer.category(category),
                Comps::Environment(environment) => writer.environment(environment),
                Comps::Langpacks(matches) => writer.langpacks(matches),
            }
            .unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(read(&bytes), read_once);
    }

    #[test]
    fn groups_are_read_with_their_defaults() {
        let Comps::Group(group) = &read(SOURCE.as_bytes())[0] else {
            panic!("not a group");
        };
        assert!(group.default && !group.user_visible);
        assert_eq!(group.mandatory_package_names, ["a", "b"]);
        assert_eq!(
            group.conditional_package_names,
            [("e".to_owned(), "x".to_owned())]
        );
        assert_eq!(group.translated_name["de"], "Ge");
        assert_eq!(group.display_order, Some(7));
    }
}
