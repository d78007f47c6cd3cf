//! Our own list of what tells the type of a device, which uap-core does not say.
//!
//! In scope: words of user agents in order of precedence, matched in any case. A television may say Android, an Android
//! tablet says nothing but Android, so the order is: what only one type says, then phones, then what is left of Android,
//! then computers.

use user_agent::DeviceType;

const CONSOLES: [&str; 3] = ["playstation", r"xbox(?:[^a-z]|$)", "nintendo"];

const TELEVISIONS: [&str; 43] = [
    r"smart-?tv",
    "hbbtv",
    r"(?:apple|google|android|opera|philips|sony|lg|hisense|haier|tcl|inetbrowser|vestel)[ _-]?d?tv",
    // Three letters at least, punctuation counted, so that few user agents are looked at.
    r"\b(?:d|net|ip)?tv(?:[;)/]| build)",
    r"\btv[ _-]?(?:safari|stick|box)",
    r"537\.36 tv\b",
    r"(?:open|web)tv",
    r"[ _-]led[ -]?\d\d",
    r"\buhd",
    "crkey",
    r"\baft[a-z]{1,4}\d?",
    "bravia",
    r"lg net(?:cast|tv)",
    r"\bviera",
    "roku",
    "vidaa",
    "inettvbrowser",
    "philipstv",
    "ce-html",
    "web0s",
    r"tizen.{0,100}\btv\b",
    "large screen",
    "shield android",
    r"\bmi ?box",
    "mitv",
    r"\bstb\b",
    "settopbox",
    r"\bmag[ -]?2\d\d",
    "sonyceb",
    "dlnadoc",
    "espial",
    r"\bbrightsign",
    "tsbnettv",
    r"\bomi/\d",
    "ekioh",
    "technisat",
    "maple",
    // Models of Android televisions begin with the diagonal in inches: 43LE7022D, SKYLINE 58U7510.
    r"android [0-9.]+; (?:[a-z]+[ _-])?(?:24|28|3[29]|4[0-9]|5[0158]|6[05]|7[05]|8[56])[a-z]{1,4}[-_]?\d\d",
    // The firmware of many brands of televisions calls itself a shell.
    "[ _]shell[ _]",
    r"[0-9 _-]box[ ;)_-]",
    // Set-top boxes: their processors, and how they say that they are connected.
    "linux (?:mips|sh4)",
    r"(?:wired|wireless)\)",
    // They make nothing but boxes.
    "beelink|ugoos|zidoo|vontar|mecool|tanix|nexbox",
];

const WATCHES: [&str; 7] = [
    r"\bwatch(?:os)?\b",
    "applewatch",
    "smartwatch",
    r"\bwear ?os\b",
    r"\bsm-r[78]\d\d",
    r"\bgear s\b",
    "tizen.{0,40}wearable",
];

const TABLETS: [&str; 27] = [
    "ipad",
    r"\btablet(?:[^ p]|$| [^p])",
    "kindle",
    r"\bkf[a-z]{3,5}\b",
    "playbook",
    "hp-tablet|touchpad",
    r"nexus (?:7|9|10)\b",
    r"\bsm-[tpx]\d{3}",
    r"\bgt-(?:p\d|n[58])",
    r"\b(?:sch|sgh|shw)-[imt](?:800|987|180|905)",
    "xoom",
    "transformer",
    r"\btab[ _-]?(?:[0-9aems]|plus|pro|lite)",
    r"\bideatab",
    r"\b(?:lenovo )?tb-?[0-9xj]",
    "mediapad|matepad",
    r"\bpixel (?:c|tablet)\b",
    r"\bmid[ _-]?\d",
    "hudl",
    r"\b[a-z]?pad[ _-]?[0-9]",
    r"\bme17\d|\bme30\d|\bk00[a-z]\b",
    r"archos (?:[789]|1\d)",
    "_tablet|tablet_",
    // Huawei and Honor: the tablets without a telephone.
    r"; [a-z0-9]{2,4}-w\d\d\b",
    r"[ _-](?:s|e|g|i|my|kid|phone)?-?pad\b",
    r"; yt-?[0-9x]",
    r"\bbntv",
];

const PHONES: [&str; 27] = [
    "iphone|ipod",
    "windows phone|windows ce|windows mobile|iemobile|wpdesktop",
    "blackberry|bb10|rim tablet",
    "mobi",
    "phone",
    "symbian|symbos",
    r"series ?[346]0",
    "midp|cldc",
    "opera mini|opera mobi",
    "nokia",
    r"up\.browser|up\.link",
    "brew",
    "bada/",
    "kaios",
    "palm",
    r"\bwap\b",
    "docomo|kddi|j-phone|vodafone|softbank|portalmmm",
    "samsung-|sec-sgh",
    r"\blge?[-/][a-z0-9]",
    r"^lg[a-z]?\d",
    "sonyericsson|motorola|alcatel|sagem|huawei|zte-|htc[ _-]",
    r"\bmot-",
    r"\bsie-",
    "ucweb|ucbrowser",
    // Apps on Android phones: their own user agents never say Mobile.
    "dalvik/",
    "fennec",
    "cfnetwork",
];

const COMPUTERS: [&str; 10] = [
    "windows",
    "macintosh|mac os|mac_powerpc|macos",
    "x11|x86_64|i686",
    r"\bcros\b",
    "linux",
    "ubuntu|fedora|debian",
    "bsd|sunos|solaris|irix|hp-ux|aix",
    r"win(?:9[58]|nt|32|64)",
    "amiga|beos|haiku|morphos|risc os|os/2",
    "darwin",
];

/// The list in order of precedence.
pub(super) fn entries() -> Vec<(String, DeviceType)> {
    let mac = [r"darwin/.{0,40}x86_64"];
    // A browser of an Android phone says Mobile; apps do not care.
    let android = ["android.{0,200}(?:applewebkit|gecko)|silk/"];
    let android_apps = ["android"];
    let lists: [(&[&str], DeviceType); 9] = [
        (&mac, DeviceType::Desktop),
        (&CONSOLES, DeviceType::Console),
        (&TELEVISIONS, DeviceType::Tv),
        (&WATCHES, DeviceType::Watch),
        (&TABLETS, DeviceType::Tablet),
        (&PHONES, DeviceType::Smartphone),
        (&android, DeviceType::Tablet),
        (&android_apps, DeviceType::Smartphone),
        (&COMPUTERS, DeviceType::Desktop),
    ];
    lists.into_iter().flat_map(|(words, told)| words.iter().map(move |word| ((*word).to_owned(), told))).collect()
}
