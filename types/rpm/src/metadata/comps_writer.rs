//! Writing comps.xml.

use std::io::{self, Write};

use super::comps::{Category, DEFAULT_ORDER, Environment, Group, Match, Translations};
use super::xml::XmlWriter;

const DOCTYPE: &str =
    r#"<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">"#;

/// Writes comps.xml (pulp2/rpm-metadata#comps): groups, categories, environments, language packs, in this order.
pub struct CompsWriter<W: Write>(XmlWriter<W>);

impl<W: Write> CompsWriter<W> {
    /// Begins the document.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: W) -> io::Result<Self> {
        let mut xml = XmlWriter::new(out);
        xml.line(r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        xml.line(DOCTYPE)?;
        xml.start("comps", &[])?;
        Ok(Self(xml))
    }

    fn texts(&mut self, name: &str, plain: Option<&str>, all: &Translations) -> io::Result<()> {
        self.0.leaf(name, &[], plain.unwrap_or_default())?;
        for (language, text) in all {
            self.0.leaf(name, &[("xml:lang", language)], text)?;
        }
        Ok(())
    }

    fn order(&mut self, order: Option<i64>) -> io::Result<()> {
        let order = order.unwrap_or(DEFAULT_ORDER).to_string();
        self.0.leaf("display_order", &[], &order)
    }

    fn ids(&mut self, list: &'static str, ids: &[String]) -> io::Result<()> {
        self.0.start(list, &[])?;
        for id in ids {
            self.0.leaf("groupid", &[], id)?;
        }
        self.0.end()
    }

    /// Adds a group.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub fn group(&mut self, group: &Group) -> io::Result<()> {
        let truth = |b| if b { "true" } else { "false" };
        self.0.start("group", &[])?;
        self.0.leaf("id", &[], &group.id)?;
        self.0.leaf("default", &[], truth(group.default))?;
        self.0.leaf("uservisible", &[], truth(group.user_visible))?;
        self.order(group.display_order)?;
        if let Some(language) = &group.langonly {
            self.0.leaf("langonly", &[], language)?;
        }
        self.texts("name", group.name.as_deref(), &group.translated_name)?;
        self.texts(
            "description",
            group.description.as_deref(),
            &group.translated_description,
        )?;
        self.0.start("packagelist", &[])?;
        for (kind, names) in [
            ("mandatory", &group.mandatory_package_names),
            ("default", &group.default_package_names),
            ("optional", &group.optional_package_names),
        ] {
            let mut names: Vec<&String> = names.iter().collect();
            names.sort_unstable();
            for name in names {
                self.0.leaf("packagereq", &[("type", kind)], name)?;
            }
        }
        for (name, requires) in &group.conditional_package_names {
            self.0.leaf(
                "packagereq",
                &[("type", "conditional"), ("requires", requires)],
                name,
            )?;
        }
        self.0.end()?;
        self.0.end()
    }

    /// Adds a category.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub fn category(&mut self, category: &Category) -> io::Result<()> {
        self.0.start("category", &[])?;
        self.0.leaf("id", &[], &category.id)?;
        self.order(category.display_order)?;
        self.texts("name", category.name.as_deref(), &category.translated_name)?;
        self.texts(
            "description",
            category.description.as_deref(),
            &category.translated_description,
        )?;
        self.ids("grouplist", &category.packagegroupids)?;
        self.0.end()
    }

    /// Adds an environment.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub fn environment(&mut self, environment: &Environment) -> io::Result<()> {
        self.0.start("environment", &[])?;
        self.0.leaf("id", &[], &environment.id)?;
        self.order(environment.display_order)?;
        self.texts(
            "name",
            environment.name.as_deref(),
            &environment.translated_name,
        )?;
        self.texts(
            "description",
            environment.description.as_deref(),
            &environment.translated_description,
        )?;
        self.ids("grouplist", &environment.group_ids)?;
        self.0.start("optionlist", &[])?;
        for option in &environment.options {
            let attributes: &[(&str, &str)] = if truthy(&option.default) {
                &[("default", "true")]
            } else {
                &[]
            };
            self.0.leaf("groupid", attributes, &option.group)?;
        }
        self.0.end()?;
        self.0.end()
    }

    /// Adds language packs.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub fn langpacks(&mut self, matches: &[Match]) -> io::Result<()> {
        self.0.start("langpacks", &[])?;
        for rule in matches {
            self.0.leaf(
                "match",
                &[("install", &rule.install), ("name", &rule.name)],
                "",
            )?;
        }
        self.0.end()
    }

    /// Ends the document.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.end()
    }
}

/// Truth as Pulp takes it, except that the text `false` is false.
fn truthy(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Bool(truth) => *truth,
        serde_json::Value::String(text) => !text.is_empty() && !text.eq_ignore_ascii_case("false"),
        _ => false,
    }
}
