"""What a process costs: wall time, CPU seconds, peak resident memory, bytes written."""
import json, math, os, pathlib, statistics, subprocess, sys, time, warnings

# The driver says at each connection that there are no transactions.
warnings.filterwarnings("ignore", message="Cannot disable autocommit")

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process with all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mib(pid, which):
    """VmHWM (peak since the start or the last reset) or VmRSS (now)."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"/proc/{pid}/status has no {which}")


def reset_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def written_bytes(pid):
    """Bytes that the process had sent to storage (pages made dirty; what is deleted before it gets there is taken off)."""
    found = dict(line.split(": ") for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(found["write_bytes"]) - int(found["cancelled_write_bytes"])


def directory_bytes(path):
    return sum(f.stat().st_size for f in pathlib.Path(path).rglob("*") if f.is_file())


def child(command):
    """Runs a command that prints a JSON line; answers it with the child's CPU and peak memory."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: {' '.join(map(str, command))} ended with {process.returncode}")
    return {**json.loads(out), "cpu": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024}


def settle_disk():
    """What one run left to be written must not slow the next."""
    os.sync()


def warm(path):
    """Reads a file once, so that both sides find it in the page cache."""
    with open(path, "rb") as f:
        while f.read(1 << 22):
            pass


def spread(values, digits=2):
    """Median (least-most)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def p99(values):
    """The least value that at most one in a hundred exceeds."""
    return sorted(values)[max(0, math.ceil(len(values) * 0.99) - 1)]


def say(text=""):
    print(text, flush=True)


def table(header, rows):
    widths = [max(len(str(r[i])) for r in [header, *rows]) for i in range(len(header))]
    for r in [header, ["-" * w for w in widths], *rows]:
        say("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths))))


def quiet(read, seconds=5, limit=120):
    """Until a number has not changed for some seconds: compaction and write-back are then over."""
    begun = since = time.monotonic()
    last = read()
    while time.monotonic() - since < seconds:
        if time.monotonic() - begun > limit:
            sys.exit(f"bench: the node still writes after {limit} s")
        time.sleep(0.2)
        now = read()
        if now != last:
            last, since = now, time.monotonic()
    return last
