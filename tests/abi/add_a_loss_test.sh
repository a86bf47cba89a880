#!/bin/bash
# Adds the loss of plugins/README.md to a copy of the tree: one folder changes, and the build, the list of built-in losses,
# the .so and the conformance suite find it without another edit.   add_a_loss_test.sh SOURCE_DIR SCRATCH_DIR
set -euo pipefail
source_dir=$1
scratch=$2
id=absolute_error

rm -rf "$scratch"
mkdir -p "$scratch/tree"
cp -r "$source_dir/plugins" "$scratch/tree/"
cd "$scratch/tree"
# One neighbour is enough: the others take minutes to build.
for folder in plugins/losses/*/; do
  case $folder in plugins/losses/golden/ | plugins/losses/mse/) ;; *) rm -r "$folder" ;; esac
done
git init -q
git add -A
git -c core.hooksPath=/dev/null -c user.name=test -c user.email=test@localhost commit -q -m "The tree as it was"
launcher=()
if command -v ccache > /dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
cmake -S plugins -B "$scratch/build" -G Ninja "${launcher[@]}" -DCMAKE_CXX_FLAGS=-O1 > "$scratch/configure.log"
cmake --build "$scratch/build" -j2 --target losses > "$scratch/before.log"

# The guide's code blocks, by the file name above each.
mkdir "plugins/losses/$id"
for file in $id.cc ${id}_test.cc; do
  awk -v name="\`$file\`" '$0 == name { wanted = 1 } /^```$/ { inside = 0; if (printed) exit } inside { print; printed = 1 }
    wanted && /^```cpp$/ { inside = 1 }' plugins/README.md > "plugins/losses/$id/$file"
  test -s "plugins/losses/$id/$file" || { echo "plugins/README.md has no code for $file"; exit 1; }
done
echo "# $id" > "plugins/losses/$id/README.md"

git add -A
git diff --cached --stat
others=$(git diff --cached --name-only | grep -v "^plugins/losses/$id/" || true)
test -z "$others" || { echo "more than one folder changed: $others"; exit 1; }

cmake --build "$scratch/build" -j2 --target losses plugin_$id ${id}_test > "$scratch/after.log" || { cat "$scratch/after.log"; exit 1; }
"$scratch/build/${id}_test" --gtest_brief=1
nm "$scratch/build/liblosses.a" > "$scratch/symbols"
grep -q " [DR] gradeline_builtin_$id$" "$scratch/symbols" || { echo "$id is not linked in"; exit 1; }
grep -q "gradeline_builtin_$id" "$scratch/build/builtin_losses.cc" || { echo "$id is not listed"; exit 1; }
symbols=$(nm -D --defined-only --format=posix "$scratch/build/plugins/$id.so" | cut -d' ' -f1)
test "$symbols" = gradeline_loss_plugin_v0 || { echo "$id.so exports: $symbols"; exit 1; }
echo "one folder, one loss"
