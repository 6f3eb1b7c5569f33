"""The words of a page, in English and Korean."""

from __future__ import annotations

__all__ = ["DYNAMIC", "TEXTS"]

# Filled in while the page runs.
DYNAMIC = (
    *("failed", "no_picture", "too_large", "seen", "fitted", "found", "none", "took"),
    *("range", "open", "map", "maps"),
)

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "title": "{name}: a network that runs in this page",
        "unnamed": "A network that runs in this page",
        "about": "{weights} weights, {lines} layers, {classes} classes; images of {size} pixels, "
        "{colours}. All of it is in this file: nothing is loaded, and no picture leaves it.",
        "grey": "grey",
        "rgb": "in colour",
        "needs_script": "This page computes with JavaScript, which is switched off here.",
        "given": "Draw, or give a picture",
        "hint": "Draw here, or drop or paste a picture",
        "canvas_label": "Sheet to draw on",
        "undo": "Undo",
        "clear": "Clear",
        "brush": "Brush",
        "colour": "Colour",
        "choose": "Choose a picture",
        "keys": "Keyboard: arrows move a cross, Space lowers and lifts the pen, Ctrl+Z undoes.",
        "answer": "What the network says",
        "working": "Computing",
        "layers": "What each layer makes of it",
        "layers_note": "The first maps of each layer; choose one for a closer look. Black is 0; "
        "middle grey is 0 where numbers are below it.",
        "close": "Close",
        "footer": "Written by Pellucid {version}.",
        "failed": "It cannot be computed: {text}",
        "no_picture": "{name} is not a picture that this browser reads.",
        "too_large": "{name} has more than {most} pixels. Make it smaller first.",
        "seen": "What the network sees.",
        "fitted": "The picture was made to fit.",
        "found": "The drawing was found, cropped and centred.",
        "none": "No drawing was found on a plain background: the picture is taken as it is.",
        "took": "Computed in {ms} ms.",
        "range": "{low} to {high}",
        "open": "{name}: look at {count} maps",
        "map": "Map {k}",
        "maps": "{count} of {all} maps",
    },
    "ko": {
        "title": "{name}: 이 페이지 안에서 실행되는 신경망",
        "unnamed": "이 페이지 안에서 실행되는 신경망",
        "about": "가중치 {weights}개, 계층 {lines}개, 클래스 {classes}개. 이미지는 {size} 픽셀, "
        "{colours}. 모든 것이 이 파일 안에 있어 아무것도 내려받지 않고, 그림은 밖으로 "
        "나가지 않습니다.",
        "grey": "흑백",
        "rgb": "컬러",
        "needs_script": "이 페이지는 자바스크립트로 계산하는데, 지금은 꺼져 있습니다.",
        "given": "그리거나 그림을 넣으세요",
        "hint": "여기에 그리거나, 그림을 끌어다 놓거나 붙여 넣으세요",
        "canvas_label": "그림판",
        "undo": "되돌리기",
        "clear": "지우기",
        "brush": "붓",
        "colour": "색",
        "choose": "그림 고르기",
        "keys": "키보드: 화살표로 십자를 옮기고, 스페이스로 펜을 내리고 올리며, "
        "Ctrl+Z로 되돌립니다.",
        "answer": "신경망의 답",
        "working": "계산 중",
        "layers": "각 계층이 만든 것",
        "layers_note": "각 계층의 처음 몇 개 특징 맵입니다. 고르면 크게 볼 수 있습니다. "
        "검정이 0이고, 음수가 있으면 중간 회색이 0입니다.",
        "close": "닫기",
        "footer": "Pellucid {version}로 만들었습니다.",
        "failed": "계산할 수 없습니다: {text}",
        "no_picture": "{name}은(는) 이 브라우저가 읽을 수 있는 그림이 아닙니다.",
        "too_large": "{name}은(는) {most} 픽셀보다 큽니다. 먼저 줄여 주세요.",
        "seen": "신경망이 보는 그림입니다.",
        "fitted": "크기에 맞추었습니다.",
        "found": "그린 것을 찾아 잘라 내고 가운데에 놓았습니다.",
        "none": "단색 배경에서 그린 것을 찾지 못해 그림을 그대로 썼습니다.",
        "took": "{ms} ms 걸렸습니다.",
        "range": "{low} ~ {high}",
        "open": "{name}: 특징 맵 {count}개 보기",
        "map": "특징 맵 {k}",
        "maps": "{all}개 가운데 {count}개",
    },
}
