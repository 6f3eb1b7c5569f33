"""What a kernel calls is compiled only as far as the kernel needs it: half the time of all.

Numba makes each function ready to be called from Python, and from C: it optimises the function with
everything that it calls, generates machine code, and wraps it twice. A kernel then takes in the
functions that it calls, and all of them are optimised and generated once more, with the kernel;
a function three calls deep, four times. Here those that a kernel calls stay LLVM code until they
have become part of it. What a function needs itself if it is called from Python after all, such as
one of yours that a kernel of yours calls, is done at that moment.

Garbage is not collected meanwhile: Numba makes hundreds of thousands of objects for each kernel,
most of which live until it is compiled, and looking through them took a tenth of the time.
"""

from __future__ import annotations

import gc
from typing import Any

from numba.core.codegen import JITCodeLibrary

from .borrowing import BorrowingCompiler

__all__ = ["KernelCompiler"]

Library: Any = JITCodeLibrary


class _Callee(Library):  # type: ignore[misc]
    """LLVM code of a function that a kernel calls; machine code only on demand."""

    _callable = False  # from Python

    @property
    def codegen(self) -> Any:
        """What generates code: until there is some, without a place for the environment."""
        return self._codegen if self._callable else _WithoutEnvironment(self._codegen)

    def finalize(self) -> None:
        """Link what this function calls; leave optimising to the kernel."""
        if self._callable:
            super().finalize()
            return
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            if hasattr(self, "_reload_init"):  # which Numba 0.60 has not
                self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return the address of a function, of which there must now be machine code; 0 if none."""
        self._ensure_finalized()
        if not self._callable:
            functions = self._final_module.functions
            if not any(f.name == name and not f.is_declaration for f in functions):
                return 0
            self._callable, self._finalized = True, False
            self._linking_libraries: list[Any] = []  # they have been linked
            self.finalize()
        address: int = super().get_pointer_to_function(name)
        return address


class _WithoutEnvironment:
    """A code generator for `_Callee`: Numba would write to where the machine code is not."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def set_env(self, name: str, environment: Any) -> None:
        """Numba asks for it. Only a function that is called from Python has an environment."""


class KernelCompiler(BorrowingCompiler):
    """Numba's compiler, for a kernel that is called from Python."""

    def compile_extra(self, function: Any) -> Any:
        """Compile the kernel, and what it calls as `_Callee`; Numba's lock is held."""
        codegen, collects = self.state.targetctx.codegen(), gc.isenabled()
        before = codegen._library_class
        self.state.library = Library(codegen, function.__qualname__)
        self.state.library.enable_object_caching()
        gc.disable()
        codegen._library_class = _Callee
        try:
            return super().compile_extra(function)
        finally:
            codegen._library_class = before
            if collects:
                gc.enable()
