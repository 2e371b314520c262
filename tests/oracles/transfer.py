#!/usr/bin/env python3
"""Narrow VGG-16 and ResNet-18 in torch's float64, their modules named as torchvision names them -> tests/fixtures/transfer.hpp.

Inputs and parameters follow a formula that the test evaluates too, from the names and shapes of state_dict(). Needs
numpy and torch >= 1.13.
"""
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import header

ROWS, CLASSES = 3, 5


def formula(count, seed):
    i = np.arange(count, dtype=np.int64)
    return ((i * i * 7 + i * 13 + seed) % 251 - 125) / 128


class BasicBlock(nn.Module):
    def __init__(self, before, after, stride, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = norm(after)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = norm(after)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), norm(after))

    def forward(self, x):
        main = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(main + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    def __init__(self, divisor, norm):
        super().__init__()
        channels = 64 // divisor
        self.conv1 = nn.Conv2d(3, channels, 7, 2, 3, bias=False)
        self.bn1 = norm(channels)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for stage, width in enumerate((64, 128, 256, 512), 1):
            width //= divisor
            setattr(self, f"layer{stage}", nn.Sequential(BasicBlock(channels, width, 1 if stage == 1 else 2, norm),
                                                         BasicBlock(width, width, 1, norm)))
            channels = width
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, CLASSES)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class VGG16(nn.Module):
    def __init__(self, divisor):
        super().__init__()
        layers, channels = [], 3
        for width in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"):
            if width == "M":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(channels, width // divisor, 3, padding=1), nn.ReLU(True)]
                channels = width // divisor
        wide = 4096 // divisor
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(nn.Linear(channels * 49, wide), nn.ReLU(True), nn.Dropout(),
                                        nn.Linear(wide, wide), nn.ReLU(True), nn.Dropout(), nn.Linear(wide, CLASSES))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


arrays = {}


def run(name, model, high, across):
    model = model.double().eval()
    state = model.state_dict()
    shapes = []
    for k, (key, tensor) in enumerate(state.items()):
        shapes.append([*tensor.shape, 0, 0, 0, 0][:4])
        if key.endswith("num_batches_tracked"):
            continue
        numbers = formula(tensor.numel(), 31 * k + 5)
        if key.endswith("running_var"):
            numbers = numbers / 2 + 1
        elif tensor.dim() > 1:
            numbers = numbers / 2.0 ** (int(math.log2(math.prod(tensor.shape[1:]))) // 2 - 1)
        tensor.copy_(torch.tensor(numbers.reshape(tensor.shape)))
    x = torch.tensor(formula(ROWS * 3 * high * across, 3).reshape(ROWS, 3, high, across))
    z = model(x)
    loss = functional.cross_entropy(z, torch.arange(ROWS), reduction="sum")
    parameters = dict(model.named_parameters())
    gradients = dict(zip(parameters, torch.autograd.grad(loss, parameters.values())))
    arrays[name + "_names"] = np.array(list(state))
    arrays[name + "_shapes"] = np.array(shapes, dtype=np.int32)
    arrays[name + "_outputs"] = z.detach().numpy().ravel()
    # of the sum over the rows; 0 of what is no parameter
    arrays[name + "_norms"] = np.array([(gradients[key] ** 2).sum().item() if key in gradients else 0. for key in state])


run("resnet18", ResNet18(8, nn.BatchNorm2d), 64, 48)
run("resnet18_groups", ResNet18(16, lambda channels: nn.GroupNorm(2, channels)), 33, 35)
run("vgg_224", VGG16(32), 224, 224)
run("vgg_448", VGG16(64), 448, 448)
run("vgg_32", VGG16(16), 32, 32)
run("vgg_96", VGG16(16), 96, 330)
header.write(__file__, f"torch {torch.__version__}", "transfer", arrays)
