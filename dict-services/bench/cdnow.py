#!/usr/bin/env python3
"""The segment model's score beside BG/NBD, on the purchases of the CDNOW data set.

The PyPI package `lifetimes` (MIT) carries both: the purchases of 23,570 customers of a music shop, January 1997 to June 1998, and
BG/NBD (Fader, Hardie, Lee, 2005). This script installs it into a temporary environment, lets both models predict
the next 30 days as of several days, each from what was known on that day, and judges both on the same customers.

    cargo build --profile stack -p dict-services --example backtest
    python3 dict-services/bench/cdnow.py target/stack/examples/backtest
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

# lifetimes 0.11.3 is of 2020: these are the last releases that it works with.
PINNED = ["lifetimes==0.11.3", "numpy==1.26.4", "pandas==1.5.3", "scipy==1.11.4", "autograd==1.6.2"]
HORIZON_DAYS = 30
CUTOFFS = ["1998-01-01", "1998-01-31", "1998-03-02", "1998-04-01", "1998-05-01", "1998-05-31"]
CALIBRATION_ROWS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backtest", type=Path, help="the example program `backtest`")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        compare(args.backtest)
        return
    with tempfile.TemporaryDirectory(prefix="cdnow-") as folder:
        print("installing lifetimes", file=sys.stderr)
        venv.create(folder, with_pip=True)
        python = Path(folder, "bin", "python")
        subprocess.run([python, "-m", "pip", "--quiet", "install", *PINNED], check=True)
        subprocess.run([python, __file__, args.backtest.resolve(), "--inside"], check=True)


def compare(backtest: Path) -> None:
    import pandas

    purchases = load()
    judged = []
    for cutoff in map(pandas.Timestamp, CUTOFFS):
        print(f"as of {cutoff:%Y-%m-%d}", file=sys.stderr)
        known = purchases[purchases.date < cutoff]
        scores = pandas.DataFrame({"ours": ours(backtest, known, cutoff), "bg_nbd": bg_nbd(known, cutoff)})
        ahead = purchases[(purchases.date >= cutoff) & (purchases.date < cutoff + pandas.Timedelta(days=HORIZON_DAYS))]
        scores["bought"] = scores.index.isin(ahead.user)
        # Customers silent for a year are no longer in the feed.
        judged.append(scores.dropna())
    judged = pandas.concat(judged)
    print(f"{len(judged)} predictions as of {len(CUTOFFS)} days, {judged.bought.mean():.4f} bought within {HORIZON_DAYS} days")
    for model in ["ours", "bg_nbd"]:
        report(model, judged[model], judged.bought)


def load():
    import lifetimes
    import pandas

    path = Path(lifetimes.__file__).parent / "datasets" / "CDNOW_master.txt"
    table = pandas.read_csv(path, sep=r"\s+", names=["user", "date", "quantity", "amount"], skiprows=1)
    table["date"] = pandas.to_datetime(table.date.astype(str))
    return table


def ours(backtest: Path, known, cutoff):
    import io

    import pandas

    lines = pandas.DataFrame({"user": known.user, "at": known.date.astype("int64") // 10**9, "amount": known.amount})
    program = [str(backtest), "--cutoff", str(int(cutoff.timestamp()))]
    text = lines.to_csv(header=False, index=False)
    answer = subprocess.run(program, input=text, capture_output=True, text=True, check=True).stdout
    return pandas.read_csv(io.StringIO(answer), names=["user", "score"], index_col="user").score


def bg_nbd(known, cutoff):
    """P(at least one purchase): alive now, and the rate, a posteriori gamma, not silent for the horizon."""
    import lifetimes

    table = lifetimes.utils.summary_data_from_transaction_data(known, "user", "date", observation_period_end=cutoff)
    model = lifetimes.BetaGeoFitter(penalizer_coef=0.0)
    model.fit(table.frequency, table.recency, table["T"])
    r, alpha = model.params_["r"], model.params_["alpha"]
    is_alive = model.conditional_probability_alive(table.frequency, table.recency, table["T"])
    silent = ((alpha + table["T"]) / (alpha + table["T"] + HORIZON_DAYS)) ** (r + table.frequency)
    table["score"] = is_alive * (1 - silent)
    return table.score


def report(model: str, scores, bought) -> None:
    import numpy

    ranks = scores.rank()
    buyers = bought.sum()
    auc = (ranks[bought].sum() - buyers * (buyers + 1) / 2) / (buyers * (len(bought) - buyers))
    brier = ((scores - bought) ** 2).mean()
    rows = numpy.array_split(numpy.argsort(scores.to_numpy(), kind="stable"), CALIBRATION_ROWS)
    table = [(len(row), scores.to_numpy()[row].mean(), bought.to_numpy()[row].mean()) for row in rows]
    error = sum(users * abs(promised - observed) for users, promised, observed in table) / len(bought)
    print(f"\n{model}: AUC {auc:.4f}, Brier {brier:.5f}, calibration error {error:.4f}")
    print("   users promised observed")
    for users, promised, observed in table:
        print(f"{users:8d}   {promised:.4f}   {observed:.4f}")


if __name__ == "__main__":
    main()
