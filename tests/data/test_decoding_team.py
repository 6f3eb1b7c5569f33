"""Processes that decode a folder together; on real ranks in `tests/distributed/test_reading.py`."""

import numpy as np
import pytest
from PIL import Image

from pellucid.data.decoding_team import Team
from pellucid.data.file_tree import tree
from pellucid.data.folder_reader import Memory, Reader, Wanted
from pellucid.data.layout import Layout
from pellucid.distributed import Solo


class Interrupted(Solo):
    """A process that gets Ctrl-C at its second barrier, after its part is decoded."""

    def __init__(self):
        self.barriers = self.words = 0

    def barrier(self):
        self.barriers += 1
        if self.barriers == 2:
            raise KeyboardInterrupt

    def broadcast(self, value, root=0):
        self.words += 1
        return value


def test_after_ctrl_c_amid_the_messages_no_word_is_sent_that_the_others_would_take_for_another(
    tmp_path,
):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "0.png")
    source = tree(tmp_path)
    with source.open():
        files = [(entry, 0) for entry in source.listing().files]
        reader = Reader(source, Layout((), files, [], []), Wanted(None, None, None, False))
        shape = reader.image_shape()
        world = Interrupted()
        team = Team(world)
        with pytest.raises(KeyboardInterrupt):
            team.decode(reader, 1, Memory(1, shape))
        said = world.barriers, world.words
        team.dismiss(KeyboardInterrupt())
        assert (world.barriers, world.words) == said
    idle = Interrupted()
    Team(idle).dismiss(None)
    assert (idle.barriers, idle.words) == (1, 1)
