"""The report's texts in English and Korean: the same keys, the same slots for numbers."""

from __future__ import annotations

from collections.abc import Mapping

from ..display.confusion import WORDS
from ..display.reliability import RELIABILITY_WORDS

__all__ = ["TEXTS", "duration"]

ENGLISH = {
    **WORDS,
    **RELIABILITY_WORDS,
    "title": "Training report: {name}",
    "lede": "A network ({model}, {parameters} parameters), trained on {images} images of {data} "
    "({shape}) in {classes} classes.",
    "lede_without_images": "A network ({model}, {parameters} parameters) for images {shape}, "
    "trained on {data}, in {classes} classes.",
    "lede_bare": "A network with {parameters} parameters.",
    "own_data": "unknown data",
    "accuracy": "test accuracy",
    "accuracy_note": "{right} of {total} images not used for training",
    "accuracy_note_history": "measured after the last epoch, on at most {total} images",
    "accuracy_note_history_bare": "measured after the last epoch",
    "balanced_accuracy": "balanced accuracy",
    "balanced_accuracy_note": "the mean recall of the classes, each counted the same",
    "macro_f1": "macro F1",
    "macro_f1_note": "the mean F1 of the classes, each counted the same",
    "train_accuracy": "accuracy on training images",
    "train_accuracy_note": "measured after the last epoch",
    "train_accuracy_note_epoch": "measured after epoch {epoch}",
    "epochs": "epochs",
    "epochs_note": "{seconds} each, on average",
    "epochs_unfinished": "of {planned}: the training was stopped early",
    "time": "time",
    "time_note": "ended {when}",
    "parameters": "parameters",
    "parameters_note": "{size} as float32",
    "data_missing": "The images it was trained on could not be read, so the sections that need "
    "them are left out: sample images, the confusion matrix, the results by class, and the "
    "mistakes. To say where the images are now: {command}",
    "reason": "Error",
    "history_missing": "The folder holds no history, so there are no curves.",
    "examples": "The images",
    "examples_note": "One training image of each class.",
    "examples_some": "One training image of each of the first {count} classes.",
    "course": "The course of the training",
    "loss": "loss",
    "loss_alt": "Loss over the epochs: finally {train} on training images{test}.",
    "loss_alt_test": ", {test} on {images}",
    "accuracy_axis": "accuracy",
    "accuracy_alt": "Accuracy over the epochs: finally {train} on training images{test}.",
    "epoch": "epoch",
    "training_images": "training images",
    "test_images": "test images",
    "validation_images": "validation images",
    "validation_accuracy": "validation accuracy",
    "roles": "Three roles: {train} training images; {validation} validation images, measured after "
    "each epoch, which decided what was kept; {test} test images, measured once, at the end.",
    "roles_unread": "Three roles: training images; validation images, measured after each epoch, "
    "which decided what was kept; and test images, measured once, at the end.",
    "chosen_best": "The model on this page is that of epoch {epoch}, the best on {images} "
    "({file}).",
    "chosen_last": "The model on this page is that of epoch {epoch}, the last ({file}).",
    "chosen_stopped": "Patience: {patience} (after this number of epochs in a row without a better "
    "accuracy on {images} the training stops).",
    "chosen_by_test": "So the test set had a part in the choice of the epoch, and the test "
    "accuracy is optimistic. With a validation set, as by --validation 0.1, it has none.",
    "seconds": "seconds",
    "every_epoch": "Every epoch in numbers",
    "unmeasured": "-",
    "errors": "Correct predictions and mistakes",
    "confusion": "Which classes are taken for which",
    "confusion_note": "Rows are true classes, columns predicted classes. The stronger the colour "
    "of a cell, the larger its share of its row.",
    "confusion_alt": "Confusion matrix of {classes} classes, as a picture: the darker a cell, the "
    "larger its share of the row.",
    "confused_most": "The most frequent confusions",
    "is": "is",
    "taken_for": "taken for",
    "times": "times",
    "classes": "Class by class",
    "classes_note": "Recall: the share of this class's images that were predicted as it. "
    "Precision: the share of the images predicted as this class that belong to it. F1: their "
    "harmonic mean. The class with the lowest F1 comes first.",
    "mistakes": "The most confident mistakes",
    "mistakes_note": "{shown} of {total} mistakes: those the network was most confident about.",
    "no_mistakes": "There are none: all {total} test images are right.",
    "is_this": "is {name}",
    "taken_for_this": "taken for {name}",
    "surely": "confidence {percent}\u00a0%",
    "example_alt": "An image of the class {name}.",
    "mistake_alt": "Image {number} of the test images: it is {is_} and was taken for {taken}.",
    "calibration": "Is it as sure as it is right?",
    "calibration_note": "Each bar holds the test images to which the network gave a similar "
    "confidence, the probability of the predicted class; its height is the share that was right. "
    "On the diagonal both are equal. Below it the network is too sure, above it too unsure. The "
    "strip below shows how many images each bar stands for.",
    "calibration_alt": "Reliability diagram, {name}: mean confidence {confidence}, accuracy "
    "{accuracy}, expected calibration error {ece}.",
    "as_it_is": "without a temperature",
    "with_temperature": "with the temperature {temperature}",
    "temperature": "temperature",
    "temperature_none": "1 (none)",
    "ece": "expected calibration error",
    "mce": "maximum calibration error",
    "nll": "negative log-likelihood",
    "brier": "Brier score",
    "mean_confidence": "mean confidence",
    "calibration_terms": "Expected calibration error: the mean gap between confidence and "
    "accuracy, each bar weighted by its images; the maximum is the largest gap of any bar. "
    "Negative log-likelihood and Brier score measure the probabilities of all classes. The lower "
    "each of the four is, the better. (Guo et al. 2017)",
    "temperature_kept": "The model divides its scores by this temperature before they become "
    "probabilities. The predicted classes stay the same.",
    "temperature_fitted": "The temperature fits {images} validation images best; the test images "
    "had no part in it. The model does not have it yet. To divide its scores by it from now on, "
    "which leaves the predicted classes as they are:",
    "temperature_unfit": "No temperature could be fitted to the validation images.",
    "temperature_needs_validation": "A temperature that brings confidence and accuracy together "
    "can be fitted to a validation set, which this run has not: train with --validation 0.1, and "
    "with --calibrate to keep it with the model.",
    "filters": "The filters of the first layer",
    "filters_note": "The filters of {layer}, {shape}. Middle grey is 0, with one scale for all: "
    "from {low} (black) to {high} (white).",
    "filters_note_color": "The filters of {layer}, {shape}, in colour: middle grey is 0, with one "
    "scale for all, from {low} to {high}.",
    "filters_channel": "Only the first of {channels} input channels is drawn.",
    "filters_some": "The first {shown} of {total} are drawn.",
    "before": "before training",
    "after": "after training",
    "after_epoch": "after epoch {epoch}",
    "over_epochs": "From epoch to epoch",
    "filters_alt": "{count} filters, {moment}.",
    "filters_old": "The filters of earlier epochs are not known: the run has no {file}.",
    "filters_none": "This network has no convolution, and so no filters to show.",
    "network": "The network",
    "layer": "layer",
    "kind": "kind",
    "output": "output",
    "multiply_adds": "multiply-adds",
    "sees": "receptive field",
    "sees_all": "everything",
    "total": "total",
    "input": "input",
    "network_note": "Multiply-adds: for one image. Receptive field: how many rows and columns of "
    "the image one output depends on.",
    "settings": "The settings",
    "settings_missing": "The folder does not hold them.",
    "scaled_rate": "learning rate for this batch size",
    "setting": "setting",
    "value": "value",
    "yes": "yes",
    "use": "How to use the model",
    "use_predict": "Classify a picture of your own:",
    "use_evaluate": "Measure it again:",
    "use_show": "Look closer:",
    "use_studio": "Draw for it, click a unit and see its arithmetic; or write that as one file:",
    "use_python": "From Python:",
    "use_repeat": "Repeat the training:",
    "footer": "Written by Pellucid {version}. This page needs no network.",
}

KOREAN = {
    "title": "학습 보고서: {name}",
    "lede": "신경망({model}, 매개변수 {parameters}개)을 {data}의 이미지 {images}장({shape}, 클래스 "
    "{classes}개)으로 학습한 기록입니다.",
    "lede_without_images": "크기가 {shape}인 이미지를 클래스 {classes}개로 분류하는 신경망"
    "({model}, 매개변수 {parameters}개)입니다. 학습에 쓴 데이터는 {data}입니다.",
    "lede_bare": "매개변수가 {parameters}개인 신경망입니다.",
    "own_data": "사용자 데이터",
    "accuracy": "시험 데이터 정확도",
    "accuracy_note": "학습에 쓰지 않은 이미지 {total}장 가운데 {right}장",
    "accuracy_note_history": "마지막 에폭 뒤에 최대 {total}장으로 잰 값",
    "accuracy_note_history_bare": "마지막 에폭 뒤에 잰 값",
    "balanced_accuracy": "균형 정확도",
    "balanced_accuracy_note": "클래스별 재현율의 평균(모든 클래스에 같은 비중)",
    "macro_f1": "매크로 F1",
    "macro_f1_note": "클래스별 F1의 평균(모든 클래스에 같은 비중)",
    "train_accuracy": "훈련 데이터 정확도",
    "train_accuracy_note": "마지막 에폭 뒤에 잰 값",
    "train_accuracy_note_epoch": "{epoch}에폭 뒤에 잰 값",
    "epochs": "에폭",
    "epochs_note": "에폭당 평균 {seconds}",
    "epochs_unfinished": "계획은 {planned}에폭이었으나 도중에 멈췄습니다",
    "time": "걸린 시간",
    "time_note": "{when}에 끝남",
    "parameters": "매개변수",
    "parameters_note": "float32로 {size}",
    "data_missing": "학습에 쓴 이미지를 읽을 수 없어서, 이미지가 필요한 부분(예시 이미지, "
    "혼동 행렬, 클래스별 결과, 틀린 예)은 뺐습니다. 이미지가 있는 곳은 다음과 같이 알려 줄 수 "
    "있습니다: {command}",
    "reason": "오류 내용",
    "history_missing": "폴더에 학습 기록이 없어서 그래프를 그릴 수 없습니다.",
    "examples": "이미지",
    "examples_note": "클래스마다 훈련 이미지를 한 장씩 뽑았습니다.",
    "examples_some": "처음 {count}개 클래스에서 훈련 이미지를 한 장씩 뽑았습니다.",
    "course": "학습 과정",
    "loss": "손실",
    "loss_alt": "에폭에 따른 손실 그래프입니다. 마지막 값은 훈련 이미지에서 {train}{test}입니다.",
    "loss_alt_test": ", {images}에서 {test}",
    "accuracy_axis": "정확도",
    "accuracy_alt": "에폭에 따른 정확도 그래프입니다. 마지막 값은 훈련 이미지에서 "
    "{train}{test}입니다.",
    "epoch": "에폭",
    "training_images": "훈련 이미지",
    "test_images": "시험 이미지",
    "validation_images": "검증 이미지",
    "validation_accuracy": "검증 데이터 정확도",
    "roles": "이미지의 역할은 셋입니다. 훈련 이미지 {train}장으로 학습하고, 에폭마다 검증 이미지 "
    "{validation}장으로 정확도를 재어 남길 모델을 정했으며, 시험 이미지 {test}장은 마지막에 한 "
    "번만 썼습니다.",
    "roles_unread": "이미지의 역할은 셋입니다. 훈련 이미지로 학습하고, 에폭마다 검증 이미지로 "
    "정확도를 재어 남길 모델을 정했으며, 시험 이미지는 마지막에 한 번만 썼습니다.",
    "chosen_best": "이 문서의 모델은 {images}에서 정확도가 가장 높았던 {epoch}에폭의 것입니다"
    "({file}).",
    "chosen_last": "이 문서의 모델은 마지막인 {epoch}에폭의 것입니다({file}).",
    "chosen_stopped": "{images}의 정확도가 {patience}에폭 동안 나아지지 않으면 학습을 멈추도록 "
    "했습니다.",
    "chosen_by_test": "따라서 에폭을 고르는 데 시험 데이터가 쓰였고, 시험 데이터 정확도는 실제보다 "
    "높게 나왔을 수 있습니다. --validation 0.1처럼 검증 데이터를 따로 두면 이런 일이 없습니다.",
    "seconds": "초",
    "every_epoch": "에폭별 수치",
    "unmeasured": "-",
    "errors": "맞힌 것과 틀린 것",
    "confusion": "혼동 행렬",
    "confusion_note": "행은 실제 클래스이고 열은 신경망이 예측한 클래스입니다. 칸의 색이 "
    "진할수록 그 행에서 차지하는 비율이 큽니다.",
    "confusion_alt": "클래스 {classes}개의 혼동 행렬 그림입니다. 칸이 진할수록 그 행에서 차지하는 "
    "비율이 큽니다.",
    "confused_most": "가장 자주 혼동한 경우",
    "true_class": "실제 클래스",
    "predicted_class": "예측한 클래스",
    "is": "실제",
    "taken_for": "예측",
    "times": "횟수",
    "classes": "클래스별 결과",
    "class": "클래스",
    "images": "이미지 수",
    "found": "재현율",
    "right_when_said": "정밀도",
    "most_often": "가장 자주 혼동한 클래스",
    "classes_note": "재현율은 그 클래스의 이미지 가운데 맞힌 비율이고, 정밀도는 그 클래스라고 "
    "예측한 이미지 가운데 실제로 그 클래스인 비율입니다. F1은 둘의 조화 평균이며, F1이 가장 낮은 "
    "클래스부터 적었습니다.",
    "f1": "F1",
    "all": "전체",
    "mistakes": "가장 확신하고도 틀린 예",
    "mistakes_note": "틀린 이미지 {total}장 가운데 신경망이 가장 확신했던 {shown}장입니다.",
    "no_mistakes": "틀린 이미지가 없습니다. 시험 이미지 {total}장을 모두 맞혔습니다.",
    "is_this": "실제 {name}",
    "taken_for_this": "예측 {name}",
    "surely": "확신도 {percent}\u00a0%",
    "example_alt": "클래스 {name}의 이미지입니다.",
    "mistake_alt": "시험 이미지 {number}번입니다. 실제로는 {is_}이지만 {taken}(으)로 예측했습니다.",
    "calibration": "확신하는 만큼 맞히는가",
    "calibration_note": "확신도는 신경망이 예측한 클래스에 매긴 확률입니다. 막대마다 확신도가 "
    "비슷한 시험 이미지를 모았고, 막대의 높이는 그 가운데 맞힌 비율입니다. 대각선 위에서는 "
    "확신도와 정확도가 같습니다. 대각선보다 낮으면 지나치게 확신한 것이고, 높으면 덜 확신한 "
    "것입니다. 아래쪽 띠는 막대마다 이미지가 얼마나 있는지를 나타냅니다.",
    "calibration_alt": "신뢰도 그림입니다({name}). 평균 확신도 {confidence}, 정확도 {accuracy}, "
    "기대 보정 오차 {ece}.",
    "as_it_is": "온도 미적용",
    "with_temperature": "온도 {temperature} 적용",
    "temperature": "온도",
    "temperature_none": "1(없음)",
    "ece": "기대 보정 오차(ECE)",
    "mce": "최대 보정 오차(MCE)",
    "nll": "음의 로그 가능도",
    "brier": "브라이어 점수",
    "mean_confidence": "평균 확신도",
    "confidence": "확신도",
    "image_shares": "이미지",
    "gap": "차이",
    "calibrated_line": "이상적",
    "calibration_terms": "기대 보정 오차는 확신도와 정확도의 차이를 막대마다 이미지 수로 가중하여 "
    "평균한 값이고, 최대 보정 오차는 그 차이가 가장 큰 막대의 값입니다. 음의 로그 가능도와 "
    "브라이어 점수는 모든 클래스의 확률을 평가합니다. 네 값 모두 낮을수록 좋습니다. "
    "(Guo et al. 2017)",
    "temperature_kept": "이 모델은 점수를 이 온도로 나눈 다음 확률로 바꿉니다. 예측하는 클래스는 "
    "달라지지 않습니다.",
    "temperature_fitted": "이 온도는 검증 이미지 {images}장에 가장 잘 맞는 값이며, 시험 이미지는 "
    "쓰지 않았습니다. 모델에는 아직 저장하지 않았습니다. 앞으로 점수를 이 온도로 나누게 하려면 "
    "다음 명령을 씁니다. 예측하는 클래스는 달라지지 않습니다.",
    "temperature_unfit": "검증 이미지에 맞는 온도를 구할 수 없었습니다.",
    "temperature_needs_validation": "확신도와 정확도를 맞추는 온도는 검증 데이터로 구하는데, 이 "
    "학습에는 검증 데이터가 없습니다. --validation 0.1로 학습하면 구할 수 있고, "
    "--calibrate를 더하면 모델과 함께 저장합니다.",
    "filters": "첫 번째 계층의 필터",
    "filters_note": "{layer}의 필터({shape})입니다. 중간 회색이 0이고, 모든 필터에 같은 눈금을 "
    "썼습니다. 검은색은 {low}, 흰색은 {high}입니다.",
    "filters_note_color": "{layer}의 필터({shape})를 색으로 나타냈습니다. 중간 회색이 0이고, 모든 "
    "필터에 {low}부터 {high}까지 같은 눈금을 썼습니다.",
    "filters_channel": "입력 채널 {channels}개 가운데 첫 번째 채널만 그렸습니다.",
    "filters_some": "필터 {total}개 가운데 처음 {shown}개를 그렸습니다.",
    "before": "학습 전",
    "after": "학습 후",
    "after_epoch": "{epoch}에폭 뒤",
    "over_epochs": "에폭에 따른 변화",
    "filters_alt": "필터 {count}개, {moment}.",
    "filters_old": "이 폴더에 {file} 파일이 없어서 필터가 변해 온 모습은 보여 줄 수 없습니다.",
    "filters_none": "이 신경망에는 합성곱 계층이 없어서 보여 줄 필터가 없습니다.",
    "network": "신경망의 구조",
    "layer": "계층",
    "kind": "종류",
    "output": "출력",
    "multiply_adds": "곱셈-덧셈 횟수",
    "sees": "수용 영역",
    "sees_all": "전체",
    "total": "합계",
    "input": "입력",
    "network_note": "곱셈-덧셈 횟수는 이미지 한 장을 기준으로 셉니다. 수용 영역은 출력값 하나가 "
    "입력 이미지의 몇 행, 몇 열을 보는지를 나타냅니다.",
    "settings": "학습 설정",
    "settings_missing": "폴더에 설정 파일이 없습니다.",
    "scaled_rate": "이 배치 크기에서의 학습률",
    "setting": "설정",
    "value": "값",
    "yes": "예",
    "use": "모델 사용법",
    "use_predict": "직접 고른 그림에 무엇이 있는지 물어봅니다.",
    "use_evaluate": "정확도를 다시 잽니다.",
    "use_show": "더 자세히 들여다봅니다.",
    "use_studio": "직접 그려 보고, 유닛을 눌러 계산 과정을 봅니다. 파일 하나로도 만듭니다.",
    "use_python": "파이썬에서 사용합니다.",
    "use_repeat": "같은 학습을 다시 합니다.",
    "footer": "Pellucid {version}(으)로 만들었습니다. 이 문서는 네트워크 없이도 열립니다.",
}

TEXTS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ko": KOREAN}

UNITS = {"en": (" h", " min", " s"), "ko": ("시간", "분", "초")}


def duration(seconds: float, language: str) -> str:
    """Format a time span.

    Examples
    --------
    >>> duration(7.456, "en"), duration(3672, "en"), duration(75, "ko")
    ('7.5 s', '1 h 1 min', '1분 15초')
    """
    hour, minute, second = UNITS[language]
    if seconds < 59.95:
        return f"{seconds:.1f}{second}"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}{minute} {whole % 60}{second}"
    return f"{whole // 3600}{hour} {whole % 3600 // 60}{minute}"
