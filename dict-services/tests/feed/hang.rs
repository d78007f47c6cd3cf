//! A ClickHouse that takes the question and never answers.

use dict_services::model::archive::Archive;
use dict_services::segment::source::Source;
use dict_services::segment::trainer::{Extent, TrainError, Trainer, WINDOW_DEADLINE};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

const NOW: u32 = 1_763_660_000;

#[tokio::test(start_paused = true)]
async fn a_training_does_not_wait_for_it_forever() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let trainer = Trainer {
        source: Source::new(&[url], "reader", "", None),
        archive: Archive::open(folder.path()).unwrap(),
        extent: Extent { max_users: 1_000, max_windows: 1 },
    };
    let started = Instant::now();
    let error = timeout(2 * WINDOW_DEADLINE, trainer.train(NOW)).await.unwrap().unwrap_err();
    assert!(matches!(error, TrainError::Deadline), "{error}");
    assert!(started.elapsed() >= WINDOW_DEADLINE);
}
