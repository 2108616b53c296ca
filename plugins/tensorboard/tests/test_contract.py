from pathlib import Path

from tensorboardX import SummaryWriter

from graphql_runs.ingest.testing import IngesterContract
from graphql_runs_tensorboard import ingester


class TestContract(IngesterContract):
    ingester = ingester
    growing = "events.out.tfevents.1700000000.host"

    def write(self, folder: Path, part: int) -> None:
        # The libraries begin a new file each time; what one writes is put at the end, as a job that goes on does.
        written = folder.parent / f"part-{part}"
        writer = SummaryWriter(str(written))
        for step in range(30):
            writer.add_scalar("loss", 1 / (1 + step), part * 30 + step, walltime=1_700_000_000 + step)
            writer.add_scalar("accuracy", float("nan") if step == 7 else step / 30, part * 30 + step)
        writer.add_text("note", f"part {part} ünï", part)
        writer.close()
        [file] = written.iterdir()
        with (folder / self.growing).open("ab") as growing:
            growing.write(file.read_bytes())
        file.unlink()
        written.rmdir()
