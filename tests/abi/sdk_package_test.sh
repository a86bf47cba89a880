#!/bin/bash
# The installed SDK: moved elsewhere it still builds the example, exports stay at one symbol, and find_package refuses another
# major version.   sdk_package_test.sh SOURCE_DIR BUILD_DIR SCRATCH_DIR
set -euo pipefail
source_dir=$1
build_dir=$2
scratch=$3

rm -rf "$scratch"
mkdir -p "$scratch"
cmake --install "$build_dir" --component plugin_sdk --prefix "$scratch/first" > "$scratch/install.log"
mv "$scratch/first" "$scratch/moved"
cp -r "$source_dir/plugins/example" "$scratch/example"
unset CCACHE_BASEDIR  # it would rewrite the names that are looked for below
launcher=()
if command -v ccache > /dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
cmake -S "$scratch/example" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/moved" "${launcher[@]}" > "$scratch/configure.log"
cmake --build "$scratch/build" --target log_cosh > "$scratch/build.log" || { cat "$scratch/build.log"; exit 1; }
ninja -C "$scratch/build" -t deps > "$scratch/deps"
grep -q "$scratch/moved/include/gradeline/plugins/sdk/loss.h" "$scratch/deps"
if grep -q "$source_dir/plugins/" "$scratch/deps"; then echo "the example reads the source tree"; exit 1; fi
symbols=$(nm -D --defined-only --format=posix "$scratch/build/log_cosh.so" | cut -d' ' -f1)
test "$symbols" = gradeline_loss_plugin_v0 || { echo "log_cosh.so exports: $symbols"; exit 1; }

sed -i 's/find_package(GradelinePluginSDK 0.1/find_package(GradelinePluginSDK 9.0/' "$scratch/example/CMakeLists.txt"
if cmake -S "$scratch/example" -B "$scratch/other" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/moved" > "$scratch/other.log" 2>&1; then
  echo "find_package took version 0 for version 9"
  exit 1
fi
grep -q "compatible with requested version" "$scratch/other.log" || { cat "$scratch/other.log"; exit 1; }
echo "the package stands alone"
