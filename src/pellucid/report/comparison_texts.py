"""The texts of a comparison in English and Korean: the same keys, the same slots."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["COMPARISON_TEXTS"]

ENGLISH = {
    "comparison": "Comparison of {count} runs",
    "comparison_of_one": "One run",
    "run": "run",
    "network_of": "network",
    "epochs_of": "epochs",
    "model_of": "model",
    "best_validation": "epoch {epoch}, best on validation",
    "best_test": "epoch {epoch}, best on test",
    "best_train": "epoch {epoch}, best on training",
    "last": "epoch {epoch}, last",
    "seeds_of": "{count} seeds",
    "seeds_left": "{count} of {planned} seeds",
    "validation_set": "validation set",
    "test_set": "test set",
    "different_test": "The test accuracies were measured on different images: compare only those "
    "with the same letter in the column of the test set.",
    "unknown_test": "A question mark says that the test images could not be read now: the accuracy "
    "was measured after the last epoch, and it is not known whether on the same images.",
    "different_validation": "The validation accuracies were measured on different images: compare "
    "only those with the same letter in the column of the validation set.",
    "optimistic": "* The test set had a part in the choice of the epoch, which makes this accuracy "
    "optimistic.",
    "deviation": "± is the standard deviation over the seeds, which is not that of the mean.",
    "one_split": "All seeds of a run have the same training, validation and test images, unless it "
    "was trained with --vary-split.",
    "differing": "The settings that differ",
    "no_differing": "All settings are the same.",
    "courses": "The course of the trainings",
    "loss_of_training": "loss, training images",
    "loss_of_held": "loss, {images}",
    "accuracy_of_held": "accuracy, {images}",
    "held_mixed": "validation or test images",
    "bands": "Bands: mean ± standard deviation of the seeds.",
    "curves_alt": "{title} over the epochs, of {count} runs; the last values are in the table.",
}

KOREAN = {
    "comparison": "학습 {count}개 비교",
    "comparison_of_one": "학습 1개",
    "run": "학습",
    "network_of": "신경망",
    "epochs_of": "에폭",
    "model_of": "모델",
    "best_validation": "{epoch}에폭, 검증 데이터에서 최고",
    "best_test": "{epoch}에폭, 시험 데이터에서 최고",
    "best_train": "{epoch}에폭, 훈련 데이터에서 최고",
    "last": "{epoch}에폭, 마지막",
    "seeds_of": "시드 {count}개",
    "seeds_left": "시드 {planned}개 중 {count}개",
    "validation_set": "검증 데이터",
    "test_set": "시험 데이터",
    "different_test": "시험 데이터 정확도를 서로 다른 이미지로 쟀습니다. 시험 데이터 칸의 글자가 "
    "같은 학습끼리만 비교할 수 있습니다.",
    "unknown_test": "물음표는 시험 이미지를 지금 읽을 수 없다는 뜻입니다. 정확도는 마지막 에폭 "
    "뒤에 잰 값이며, 같은 이미지로 쟀는지는 알 수 없습니다.",
    "different_validation": "검증 데이터 정확도를 서로 다른 이미지로 쟀습니다. 검증 데이터 칸의 "
    "글자가 같은 학습끼리만 비교할 수 있습니다.",
    "optimistic": "* 에폭을 고르는 데 시험 데이터가 쓰여서 정확도가 실제보다 높게 나왔을 수 "
    "있습니다.",
    "deviation": "± 뒤의 값은 시드에 따른 표준편차이며, 평균의 표준오차가 아닙니다.",
    "one_split": "--vary-split으로 학습하지 않았다면 시드가 달라도 훈련, 검증, 시험 이미지는 "
    "같습니다.",
    "differing": "서로 다른 설정",
    "no_differing": "모든 설정이 같습니다.",
    "courses": "학습 과정",
    "loss_of_training": "손실, 훈련 이미지",
    "loss_of_held": "손실, {images}",
    "accuracy_of_held": "정확도, {images}",
    "held_mixed": "검증 또는 시험 이미지",
    "bands": "띠는 시드에 따른 평균 ± 표준편차입니다.",
    "curves_alt": "학습 {count}개의 에폭에 따른 그래프({title})입니다. 마지막 값은 표에 있습니다.",
}

COMPARISON_TEXTS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ko": KOREAN}
