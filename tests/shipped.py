"""The files of conf/ that come with reprise. A project adds its own; these tests are about ours."""

CONF = {
    "dataset": ["arrays", "csv_rows", "image_folder", "image_mask", "image_table"],
    "debug": ["limit", "overfit", "smoke"],
    "experiment": ["audio", "denoise", "digits", "folder", "iris", "iris_rows", "segmentation"],
    "launcher": ["local", "ray", "slurm"],
    "loader": ["default"],
    "model": ["application", "autoencoder", "cnn", "fpn", "linknet", "mlp", "pspnet", "unet"],
    "objective": ["classification", "regression", "segmentation"],
    "optimizer": ["adam", "sgd"],
    "sweep": ["grid", "random", "tpe"],
    "tracking": ["default"],
    "trainer": ["default"],
}
CONF["dataset"] += ["mel_spectrogram", "sql_matrix", "stream"]
CONF["experiment"] += ["table"]
