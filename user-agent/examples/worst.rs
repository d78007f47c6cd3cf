use std::time::{Duration, Instant};
use user_agent::*;
struct Rng(u64);
impl Rng {
    fn n(&mut self, m: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % m.max(1) as u64) as usize
    }
}
fn cost(p: &mut Parser, s: &str) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..2 {
        // a fresh parser would pay for its caches; a unique tail avoids hits
        let t = Instant::now();
        std::hint::black_box((p.parse(s, &ClientHints::default()), p.crawler(s)));
        best = best.min(t.elapsed().as_secs_f64());
    }
    best
}
fn main() {
    let secs: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut uas: Vec<String> = vec![];
    for f in ["humans_dev", "bots_dev", "ua_cases_dev"] {
        for l in std::fs::read_to_string(format!("/work/shared/corpora/{f}.jsonl")).unwrap().lines() {
            let v: serde_json::Value = serde_json::from_str(l).unwrap();
            uas.push(v["ua"].as_str().unwrap().to_owned());
        }
    }
    let mut p = Parser::new();
    let mut all: Vec<(f64, String)> = uas.iter().map(|u| (cost(&mut p, u), u.clone())).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("corpus worst {:.1} us: {}", all[0].0 * 1e6, all[0].1);
    let mut r = Rng(0x9E3779B97F4A7C15);
    let mut pool: Vec<(f64, String)> = all[..200].to_vec();
    let end = Instant::now() + Duration::from_secs(secs);
    let mut n = 0u64;
    while Instant::now() < end {
        n += 1;
        let i = {
            let m = pool.len();
            let a = r.n(m);
            let b = r.n(m);
            a.min(b)
        };
        let mut s: Vec<char> = pool[i].1.chars().collect();
        for _ in 0..1 + r.n(4) {
            let len = s.len().max(1);
            match r.n(6) {
                0 => {
                    let a = r.n(len);
                    let l = 1 + r.n(40);
                    let piece: Vec<char> = s.iter().skip(a).take(l).copied().collect();
                    let k = 1 + r.n(20);
                    let at = r.n(s.len() + 1);
                    let mut ins = vec![];
                    for _ in 0..k {
                        ins.extend(&piece)
                    }
                    s.splice(at..at, ins);
                }
                1 => {
                    let o: Vec<char> = uas[r.n(uas.len())].chars().collect();
                    let a = r.n(o.len());
                    let l = 1 + r.n(80);
                    let at = r.n(s.len() + 1);
                    s.splice(at..at, o.into_iter().skip(a).take(l));
                }
                2 => {
                    let a = r.n(len);
                    let l = r.n(60);
                    let b = (a + l).min(s.len());
                    let a = a.min(b);
                    s.drain(a..b);
                }
                3 => {
                    if !s.is_empty() {
                        let a = r.n(s.len());
                        s[a] = [' ', ';', '/', '.', '_', '-', 'a', '1', 'A', '(', ')'][r.n(11)];
                    }
                }
                4 => {
                    let o: Vec<char> = pool[r.n(pool.len())].1.chars().collect();
                    let a = r.n(o.len());
                    s.truncate(r.n(len));
                    s.extend(o.into_iter().skip(a));
                }
                _ => {
                    let c = [' ', ';', '/', '.', '_', '-', 'a', '1', 'A', 'é'][r.n(10)];
                    let at = r.n(s.len() + 1);
                    let k = 1 + r.n(200);
                    s.splice(at..at, std::iter::repeat_n(c, k));
                }
            }
        }
        let mut t: String = s.into_iter().collect();
        if t.len() > 1024 {
            let mut e = 1024;
            while !t.is_char_boundary(e) {
                e -= 1
            }
            t.truncate(e)
        }
        let c = cost(&mut p, &t);
        let last = pool.len() - 1;
        if c > pool[last].0 {
            let c = c.min(cost(&mut p, &t));
            if c > pool[last].0 {
                pool[last] = (c, t);
                pool.sort_by(|a, b| b.0.total_cmp(&a.0));
            }
        }
    }
    println!("{n} tried, worst {:.1} us, {} B: {:?}", pool[0].0 * 1e6, pool[0].1.len(), pool[0].1);
    let again: Vec<f64> = (0..20)
        .map(|k| {
            let mut t = pool[0].1.clone();
            t.pop();
            t.push((b'a' + k) as char);
            cost(&mut p, &t) * 1e6
        })
        .collect();
    println!("again {again:?}");
}
