# Gives the target Gradeline::plugin_sdk. plugins/sdk/conformance.h also needs GTest::gtest and Threads::Threads.
include(${CMAKE_CURRENT_LIST_DIR}/GradelinePluginSDKTargets.cmake)
