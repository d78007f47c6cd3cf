//! Models on disk: which one is used, and that a worse or damaged one is not.

use std::fs;
use std::path::Path;

use dict_services::model::archive::Archive;
use dict_services::model::artefact::Model;
use dict_services::model::dataset::History;
use dict_services::model::promotion::Comparison;
use dict_services::model::training;
use tempfile::TempDir;

use crate::history;
use crate::shopper::{Crowd, LIFELONG, Shopper};

fn trained(seed: u64, version: u32) -> (Model, History) {
    let crowd: Vec<Shopper> = Crowd::new(&LIFELONG, seed, 30.0).take(2_500).collect();
    let history = history(&crowd);
    (training::train(&history, None, version).unwrap(), history)
}

#[test]
fn a_model_of_other_labels_is_worse_and_one_of_the_same_is_not() {
    let (good, history) = trained(31, 1);
    let (other, _) = trained(32, 2);
    assert!(!Comparison::of(&other, &good, &history).is_worse(), "the same shop, other shoppers");
    // Trained on what did not happen: the labels of the training users are turned round.
    let mut wrong = history.clone();
    wrong.past.iter_mut().flat_map(|window| &mut window.samples).for_each(|sample| sample.bought = !sample.bought);
    let misled = training::train(&wrong, Some(&good), 3).unwrap();
    let comparison = Comparison::of(&misled, &good, &history);
    assert!(comparison.is_worse() && comparison.score.mean < -0.5, "{comparison:?}");
}

#[test]
fn what_is_kept_and_used_reads_back() {
    let folder = TempDir::new().unwrap();
    let archive = Archive::open(folder.path()).unwrap();
    assert!(archive.current().unwrap().is_none());
    assert_eq!(archive.next_version().unwrap(), 1);
    let (first, _) = trained(33, 1);
    archive.keep(&first).unwrap();
    assert!(archive.current().unwrap().is_none(), "kept is not used");
    archive.promote(&first).unwrap();
    assert_eq!(archive.current().unwrap().map(|model| model.version), Some(1));
    assert!(archive.keep(&first).is_err(), "a version is not written twice");
    let second = Model { version: archive.next_version().unwrap(), ..first };
    archive.keep(&second).unwrap();
    assert_eq!(archive.current().unwrap().map(|model| model.version), Some(1));
    let leftovers = names(folder.path()).into_iter().filter(|name| name.ends_with("draft"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn the_oldest_models_are_forgotten_but_not_the_one_in_use() {
    let folder = TempDir::new().unwrap();
    let archive = Archive::open(folder.path()).unwrap();
    let (model, _) = trained(34, 1);
    archive.keep(&model).unwrap();
    archive.promote(&model).unwrap();
    for version in 2..=40 {
        archive.keep(&Model { version, ..model.clone() }).unwrap();
    }
    let kept: Vec<String> = names(folder.path());
    assert_eq!(kept.len(), 30 + 1 + 1, "thirty, the one in use, and its name: {kept:?}");
    assert!(kept.contains(&"00000001.json".to_owned()) && !kept.contains(&"00000002.json".to_owned()));
}

#[test]
fn a_damaged_model_is_refused_with_its_path() {
    let folder = TempDir::new().unwrap();
    let archive = Archive::open(folder.path()).unwrap();
    let (model, _) = trained(35, 1);
    let path = archive.keep(&model).unwrap();
    archive.promote(&model).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("champions", "chumpions").replace("\"version\": 1", "\"version\": 2")).unwrap();
    let error = archive.current().unwrap_err().to_string();
    assert!(error.contains("00000001.json") && error.contains("SHA-256"), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(archive.current().unwrap_err().to_string().contains("no file"));
}

#[test]
fn a_document_that_cannot_judge_names_the_field() {
    let (model, _) = trained(36, 1);
    let text = serde_json::to_string(&model).unwrap();
    let refusal = |good: &str, bad: &str| {
        assert!(text.contains(good), "{good}");
        Model::parse(text.replacen(good, bad, 1).as_bytes()).unwrap_err().to_string()
    };
    assert!(refusal("\"schema\":1", "\"schema\":2").contains("schema"));
    assert!(refusal("\"segment_of\":[", "\"segment_of\":[99,").contains("segment_of"));
    assert!(refusal("\"slope\":", "\"slope\":-").contains("calibration"));
    assert!(refusal("\"deviations\":[", "\"deviations\":[1.0,").contains("one number per segment feature"));
    assert!(refusal("\"buyers\":", "\"sellers\":").contains("model"));
    Model::parse(text.as_bytes()).unwrap();
}

fn names(data_dir: &Path) -> Vec<String> {
    let files = fs::read_dir(data_dir.join("models")).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}
