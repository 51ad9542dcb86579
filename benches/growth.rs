//! How time and memory grow with the length of a recording, and with the number of files.
//!
//! `cargo bench --bench growth` prints a table and draws `benches/growth.svg`. Every point is a process of its own, as memory
//! is counted from a process's start. Linux only, which tells how much a process had at most.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bonafide::{Detector, Runtime};
use plotters::coord::Shift;
use plotters::prelude::*;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SIZE: (u32, u32) = (900, 640);
/// So many samples are a second.
const RATE: usize = 16_000;

/// What a process took.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    megabytes: f64,
}

struct Curve {
    runtime: Runtime,
    points: Vec<(f64, Cost)>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [runtime, folder] = &arguments[..] {
        return score(runtime, Path::new(folder));
    }
    // Cargo says so when it benchmarks; otherwise this only has to show that it runs.
    let measuring = arguments.iter().any(|argument| argument == "--bench");
    if !cfg!(target_os = "linux") {
        println!("growth: only Linux tells how much memory a process had");
        return Ok(());
    }
    let (lengths, counts): (&[usize], &[usize]) = if measuring {
        (&[10, 300, 600, 1200, 1800, 2700, 3600], &[1, 100, 250, 500, 750, 1000])
    } else {
        (&[5, 10], &[1, 2])
    };
    let runtimes: Vec<Runtime> = [Runtime::OnnxRuntime, Runtime::Rten]
        .into_iter()
        .filter(|runtime| Detector::builder().runtime(*runtime).build().is_ok())
        .collect();

    let by_length = curves(&runtimes, lengths, |folder, seconds| {
        write(&folder.join("0.wav"), seconds)
    })?;
    let by_count = curves(&runtimes, counts, |folder, count| {
        (0..count).try_for_each(|n| write(&folder.join(format!("{n}.wav")), 4))
    })?;
    print("seconds of audio", &by_length);
    print("files of 4 s", &by_count);
    if measuring {
        let svg = draw(&by_length, &by_count)?;
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/growth.svg"), svg)?;
    }
    Ok(())
}

/// The process that is measured: scores what is in a folder.
fn score(runtime: &str, folder: &Path) -> Result<()> {
    let runtime = [Runtime::OnnxRuntime, Runtime::Rten]
        .into_iter()
        .find(|known| known.to_string() == runtime)
        .ok_or("a runtime")?;
    let detector = Detector::builder().runtime(runtime).build()?;
    let paths = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<PathBuf>>>()?;
    let start = Instant::now();
    for (_, score) in detector.score_files(paths) {
        score?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let kilobytes: f64 = peak.ok_or("VmHWM in /proc/self/status")?.parse()?;
    println!("{seconds} {}", kilobytes * 1024.0 / 1e6);
    Ok(())
}

/// What each runtime takes for folders of growing size.
fn curves(runtimes: &[Runtime], sizes: &[usize], fill: impl Fn(&Path, usize) -> Result<()>) -> Result<Vec<Curve>> {
    let mut curves: Vec<Curve> = runtimes
        .iter()
        .map(|&runtime| Curve {
            runtime,
            points: Vec::new(),
        })
        .collect();
    for &size in sizes {
        let folder = tempfile::tempdir()?;
        fill(folder.path(), size)?;
        for curve in &mut curves {
            let mut child = Command::new(std::env::current_exe()?);
            let output = child.arg(curve.runtime.to_string()).arg(folder.path()).output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
            let output = String::from_utf8(output.stdout)?;
            let (seconds, megabytes) = output.trim().split_once(' ').ok_or("two numbers")?;
            let cost = Cost {
                seconds: seconds.parse()?,
                megabytes: megabytes.parse()?,
            };
            curve.points.push((size as f64, cost));
        }
    }
    Ok(curves)
}

/// So many seconds of the fixture's speech, again and again.
fn write(path: &Path, seconds: usize) -> Result<()> {
    let speech = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/speech.wav");
    let mut reader = hound::WavReader::open(speech)?;
    let samples = reader.samples::<i16>().collect::<std::result::Result<Vec<_>, _>>()?;
    let mut writer = hound::WavWriter::create(path, reader.spec())?;
    for sample in samples.iter().cycle().take(seconds * RATE) {
        writer.write_sample(*sample)?;
    }
    Ok(writer.finalize()?)
}

fn print(what: &str, curves: &[Curve]) {
    println!("\n| {what} | runtime | seconds | peak memory, MB |\n|---:|---|---:|---:|");
    for curve in curves {
        for (size, Cost { seconds, megabytes }) in &curve.points {
            println!("| {size} | {} | {seconds:.2} | {megabytes:.0} |", curve.runtime);
        }
    }
}

fn draw(by_length: &[Curve], by_count: &[Curve]) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let panels = area.split_evenly((2, 2));
        let seconds = |cost: Cost| cost.seconds;
        let megabytes = |cost: Cost| cost.megabytes;
        panel(
            &panels[0],
            "Time, s",
            "seconds of audio in one file",
            by_length,
            seconds,
        )?;
        panel(
            &panels[1],
            "Peak memory, MB",
            "seconds of audio in one file",
            by_length,
            megabytes,
        )?;
        panel(&panels[2], "Time, s", "files of 4 s", by_count, seconds)?;
        panel(&panels[3], "Peak memory, MB", "files of 4 s", by_count, megabytes)?;
        area.present()?;
    }
    Ok(svg)
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    size: &str,
    curves: &[Curve],
    value: fn(Cost) -> f64,
) -> Result<()> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let widest = points().map(|(size, _)| *size).fold(1.0, f64::max);
    let highest = points().map(|(_, cost)| value(*cost)).fold(0.1, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..widest * 1.02, 0.0..highest * 1.15)?;
    chart
        .configure_mesh()
        .x_desc(size)
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .draw()?;
    for (curve, color) in curves.iter().zip([BLUE, RED]) {
        let line = curve.points.iter().map(|(size, cost)| (*size, value(*cost)));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)).point_size(3))?
            .label(curve.runtime.to_string())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}
