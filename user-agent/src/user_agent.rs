//! What a user agent says about itself, as plain data.
//!
//! In scope: the result types. Out of scope: how they are found (`parser`).

use std::borrow::Cow;

/// Browser, operating system and device, by their names and versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserAgent {
    /// uap-core browser family, `Other` when unknown.
    pub browser: Cow<'static, str>,
    /// Browser version parts joined by dots, empty when unknown.
    pub browser_version: Cow<'static, str>,
    /// uap-core operating system family, `Other` when unknown.
    pub os: Cow<'static, str>,
    /// Operating system version parts joined by dots, empty when unknown.
    pub os_version: Cow<'static, str>,
    /// Kind of device.
    pub device_type: DeviceType,
    /// uap-core device family, `Other` when unknown.
    pub device: Cow<'static, str>,
    /// Device brand, empty when unknown.
    pub device_brand: Cow<'static, str>,
    /// Device model, empty when unknown.
    pub device_model: Cow<'static, str>,
}

/// Kind of device, as stored in the `device_type` column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceType {
    /// Desktop or laptop computer.
    Desktop,
    /// Phone.
    Smartphone,
    /// Tablet.
    Tablet,
    /// Television, set-top box or streaming stick.
    Tv,
    /// Game console.
    Console,
    /// Watch.
    Watch,
    /// Self-declared robot.
    Bot,
    /// None of these, or unknown.
    #[default]
    Other,
}

impl DeviceType {
    /// Every type, in the order of their numbers in the tables.
    pub(crate) const ALL: [Self; 8] =
        [Self::Desktop, Self::Smartphone, Self::Tablet, Self::Tv, Self::Console, Self::Watch, Self::Bot, Self::Other];

    /// The lower-case tag stored in ClickHouse.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Smartphone => "smartphone",
            Self::Tablet => "tablet",
            Self::Tv => "tv",
            Self::Console => "console",
            Self::Watch => "watch",
            Self::Bot => "bot",
            Self::Other => "other",
        }
    }
}
