"""Networks: architecture only. Each says its paper and section."""

from .alexnet import AlexNet
from .allconv import AllConvolutionalNet
from .convnext import ConvNeXt
from .deep import DeepConvNet
from .efficientnet import EfficientNet
from .googlenet import GoogLeNet
from .lenet import LeNet5
from .mobilenet import MobileNetV2, MobileNetV3Small
from .pattern import from_pattern, is_pattern
from .pattern_text import to_pattern
from .registry import by_name, published_for
from .resnet import ResNet18, ResNet20
from .simple import SimpleConvNet
from .squeezenet import SqueezeNet
from .vgg import VGG11, VGG16

__all__ = [
    "VGG11",
    "VGG16",
    "AlexNet",
    "AllConvolutionalNet",
    "ConvNeXt",
    "DeepConvNet",
    "EfficientNet",
    "GoogLeNet",
    "LeNet5",
    "MobileNetV2",
    "MobileNetV3Small",
    "ResNet18",
    "ResNet20",
    "SimpleConvNet",
    "SqueezeNet",
    "by_name",
    "from_pattern",
    "is_pattern",
    "published_for",
    "to_pattern",
]
