"""Conan 2 recipe: `conan create packaging/conan --build=missing` from a checkout."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load

ROOT = os.path.join("..", "..")


class PrivetConan(ConanFile):
    name = "privet"
    license = "Apache-2.0"
    description = "Learning from data that must not leave its owner"
    topics = ("machine-learning", "federated-learning", "privacy", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"files": [True, False], "crypto": [True, False], "images": [True, False]}
    default_options = {"files": True, "crypto": False, "images": False}
    no_copy_source = True

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, ROOT, "include/privet/core/version.hpp"))
        self.version = ".".join(re.findall(r"PRIVET_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))

    def export_sources(self):
        root = os.path.join(self.recipe_folder, ROOT)
        for pattern in ("include/*.hpp", "cmake/*.cmake", "CMakeLists.txt", "LICENSE"):
            copy(self, pattern, root, self.export_sources_folder)

    def requirements(self):
        self.requires("xtensor/0.25.0", transitive_headers=True)
        self.requires("xsimd/13.0.0", transitive_headers=True)
        if self.options.files:
            self.requires("nlohmann_json/3.11.3", transitive_headers=True)
            self.requires("zlib/[>=1.2.11 <2]", transitive_headers=True, transitive_libs=True)
        if self.options.crypto:
            self.requires("boost/[>=1.81 <2]", transitive_headers=True)
            self.requires("libsodium/[>=1.0.18 <2]", transitive_headers=True, transitive_libs=True)
        if self.options.images:
            self.requires("libpng/[>=1.6 <2]", transitive_headers=True, transitive_libs=True)
            self.requires("libjpeg-turbo/[>=2.1 <4]", transitive_headers=True, transitive_libs=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "privet")
        core = self.cpp_info.components["privet"]
        core.set_property("cmake_target_name", "privet::privet")
        core.requires = ["xtensor::xtensor", "xsimd::xsimd"]
        core.bindirs = core.libdirs = []
        if self.settings.os in ("Linux", "FreeBSD"):
            core.system_libs = ["pthread"]
        if self.options.files:
            files = self.cpp_info.components["files"]
            files.set_property("cmake_target_name", "privet::files")
            files.requires = ["privet", "nlohmann_json::nlohmann_json", "zlib::zlib"]
            files.bindirs = files.libdirs = []
        if self.options.crypto:
            sodium = self.cpp_info.components["sodium"]
            sodium.set_property("cmake_target_name", "privet::sodium")
            sodium.requires = ["privet", "boost::headers", "libsodium::libsodium"]
            sodium.bindirs = sodium.libdirs = []
        if self.options.images:
            images = self.cpp_info.components["images"]
            images.set_property("cmake_target_name", "privet::images")
            images.requires = ["privet", "libpng::libpng", "libjpeg-turbo::libjpeg-turbo"]
            images.bindirs = images.libdirs = []
