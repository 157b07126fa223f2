"""What the warm process learns of the targets of an audit, while whoever tests them starts."""

from __future__ import annotations

import json
import select
from collections.abc import Sequence
from typing import TYPE_CHECKING

from verifier.auditing import known
from verifier.auditing.warm import Warm
from verifier.errors import UsageError
from verifier.subjects.torch_sandbox import Died

if TYPE_CHECKING:
    import socket

    from verifier.auditing.audit import Options


class Learning:
    """Forks that learn of `targets`; of those, `named` were named by a person, who hears of it if there are none.

    The forks are asked for at once. xdist's workers are forks too, and wait for what these write: `known.awaited`.
    """

    def __init__(self, warm: Warm, options: Options, targets: Sequence[str], named: Sequence[str], memory: int) -> None:
        self._warm = warm
        self._rest = (options.rule, json.dumps(options.args), options.profile)
        self._named = [target for target in targets if target in named]
        self._asked: dict[socket.socket, str] = {
            warm.start("verifier.auditing.probe:learn_and_keep", target, *self._rest, str(memory)): target
            for target in targets
        }

    def look(self) -> None:
        """Takes note of the forks that ended; after the last, UsageError where a person named what cannot work."""
        if not self._asked:
            return
        for asked in select.select(list(self._asked), [], [], 0)[0]:
            target = self._asked.pop(asked)
            if self._warm.ended(asked) != 0:
                known.lost(self._warm.folder, target, *self._rest, Died("ends the process that started its own"))
        if not self._asked:
            for target in self._named:
                if why := known.refused(self._warm.folder, target, *self._rest):
                    raise UsageError(why)
