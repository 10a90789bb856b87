//! A family as the command line sees it: words and descriptors, no behaviour.

use super::{Key, OptionWords, SettingOwner, Words};
use crate::ContentType;
use crate::descriptor::{PluginDescriptor, Setting};

/// A family of repositories, as data.
#[derive(Debug)]
pub struct Family {
    /// The words of the command line.
    pub words: &'static Words,
    /// Its importers.
    pub importers: Vec<&'static PluginDescriptor>,
    /// Its distributors.
    pub distributors: Vec<&'static PluginDescriptor>,
}

impl Family {
    /// The family of a content type; `None` for one that the command line says nothing of.
    pub fn of(content_type: &dyn ContentType) -> Option<Self> {
        let importers = content_type.importers();
        let distributors = content_type.distributors();
        Some(Self {
            words: content_type.words()?,
            importers: importers.iter().map(|one| one.descriptor()).collect(),
            distributors: distributors.iter().map(|one| one.descriptor()).collect(),
        })
    }

    /// The setting that an option is for, when a plugin of the family has it.
    #[must_use]
    pub fn setting(&self, option: &OptionWords) -> Option<&'static Setting> {
        self.setting_of(option.keys.first()?)
    }

    /// The setting under a key, when a plugin of the family has it.
    #[must_use]
    pub fn setting_of(&self, key: &Key) -> Option<&'static Setting> {
        let (plugins, id) = match key.owner {
            SettingOwner::Importer => (&self.importers, self.words.importer),
            SettingOwner::Distributor => (&self.distributors, self.words.distributor),
            SettingOwner::Extra | SettingOwner::Run => return None,
        };
        let plugin = plugins.iter().find(|plugin| plugin.id == id)?;
        plugin.setting(key.name)
    }
}
